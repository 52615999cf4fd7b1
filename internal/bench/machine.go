package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/wxgate/wxgate/internal/bench/report"
)

// modulePath is wxgate's, which is the main module of its own binary, and a dependency of a
// Caddy that contains it.
const modulePath = "github.com/wxgate/wxgate"

func newMachine() report.Machine {
	return report.Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuModel(), CPUs: runtime.NumCPU(), Go: runtime.Version(), Version: version(),
	}
}

// version is wxgate's, from the build.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range append(info.Deps, &info.Main) {
			if module.Path == modulePath {
				return "wxgate " + module.Version
			}
		}
	}
	return "wxgate (unknown version)"
}

// cpuModel returns the name of the processor; empty if the system does not show it as
// Linux does on amd64.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
