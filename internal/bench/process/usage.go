package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ErrNotMeasured means that the operating system has no /proc, so that the CPU time and
// memory of another process are unknown.
var ErrNotMeasured = errors.New("CPU and memory are not measured: this system has no /proc as Linux has it")

// Usage is the CPU time that processes have used so far, and their current memory.
type Usage struct {
	CPU       time.Duration
	Resident  int64 // bytes
	Anonymous int64 // bytes that no file backs, so that the kernel cannot drop them
}

// Read sums up the usage of processes. The error is [ErrNotMeasured] on a system without
// /proc.
func Read(pids []int) (Usage, error) {
	if !Measured() {
		return Usage{}, ErrNotMeasured
	}
	var sum Usage
	for _, pid := range pids {
		u, err := readOne(filepath.Join(procDir, strconv.Itoa(pid)))
		if err != nil {
			return Usage{}, fmt.Errorf("reading the usage of process %d: %w", pid, err)
		}
		sum.CPU += u.CPU
		sum.Resident += u.Resident
		sum.Anonymous += u.Anonymous
	}
	return sum, nil
}

// procDir is where Linux mounts it.
const procDir = "/proc"

// Measured reports whether this system has /proc/<pid>/stat.
func Measured() bool {
	_, err := os.Stat(filepath.Join(procDir, "self", "stat"))
	return err == nil
}

func readOne(dir string) (Usage, error) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Usage{}, err
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	if u.CPU, err = parseStat(stat); err != nil {
		return Usage{}, err
	}
	u.Resident, u.Anonymous, err = parseStatus(status)
	return u, err
}
