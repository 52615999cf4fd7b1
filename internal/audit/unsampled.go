package audit

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// unsampledLevel is beyond the levels that a sampler counts: zap's sampler passes every
// entry of such a level on.
const unsampledLevel = zapcore.FatalLevel + 1

// Unsampled returns a logger whose lines no sampler drops. Otherwise an attacker could
// hide an event in a flood of events of the same kind.
//
// A line that is at an enabled level of one of the logs behind the logger is written to
// all logs that accept the logger's name, whatever their level.
func Unsampled(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return unsampledCore{core} }))
}

// unsampledCore checks entries with the inner cores at a level that they do not sample, and
// writes them at the real level.
type unsampledCore struct{ zapcore.Core }

// With implements zapcore.Core.
func (c unsampledCore) With(fields []zapcore.Field) zapcore.Core {
	return unsampledCore{c.Core.With(fields)}
}

// Check implements zapcore.Core.
func (c unsampledCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(entry.Level) {
		return checked
	}
	return checked.AddCore(entry, c)
}

// Write implements zapcore.Core.
func (c unsampledCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	level := entry.Level
	entry.Level = unsampledLevel
	if checked := c.Core.Check(entry, nil); checked != nil {
		checked.Level = level
		checked.Write(fields...)
	}
	return nil
}
