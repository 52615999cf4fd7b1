package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// stateListen is the state of a listening socket in /proc/net/tcp.
const stateListen = "0A"

// Columns of /proc/net/tcp.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9
)

// Listening returns the processes of this machine that listen on a TCP port, such as all
// workers of nginx; none if there are none, or if this user may not see them.
func Listening(port int) ([]int, error) {
	inodes := make(map[string]bool)
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join(procDir, "net", name))
		if err != nil {
			continue // no IPv6, or no Linux
		}
		for _, inode := range parseListeners(text, port) {
			inodes["socket:["+inode+"]"] = true
		}
	}
	if len(inodes) == 0 {
		return nil, nil
	}
	links, err := filepath.Glob(filepath.Join(procDir, "[0-9]*", "fd", "[0-9]*"))
	if err != nil {
		return nil, fmt.Errorf("looking for the process that listens on port %d: %w", port, err)
	}
	var pids []int
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || !inodes[target] {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link))))
		if err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// parseListeners returns the inodes of the sockets that listen on a port, from the text of
// /proc/net/tcp or tcp6.
func parseListeners(text []byte, port int) []string {
	suffix := fmt.Appendf(nil, ":%04X", port)
	var inodes []string
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) <= columnInode || string(fields[columnState]) != stateListen {
			continue
		}
		if bytes.HasSuffix(fields[columnLocal], suffix) {
			inodes = append(inodes, string(fields[columnInode]))
		}
	}
	return inodes
}
