package bench

import (
	"os"
	"runtime"
	"strings"

	"github.com/wxgate/wxgate/internal/bench/report"
	"github.com/wxgate/wxgate/internal/version"
)

func newMachine() report.Machine {
	return report.Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuModel(), CPUs: runtime.NumCPU(), Go: runtime.Version(), Version: "wxgate " + version.String(),
	}
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
