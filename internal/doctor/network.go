package doctor

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// AdminOff replaces the address of an admin API that is off.
const AdminOff = "off"

// adminSocket is the advice of AdminAddress.
const adminSocket = "`admin unix//run/wxgate/admin.sock|0600` in the global options"

// AdminAddress reports who can reach Caddy's admin API, whose clients can read every secret and
// replace the configuration. listen is the configured address; empty is Caddy's default.
func AdminAddress(listen string) Finding {
	switch listen {
	case AdminOff:
		return Finding{CheckAdmin, listen, Warning, "commands such as `wxgate keys` cannot reach the gateway", "Use a socket: " + adminSocket + "."}
	case "":
		listen = "localhost:2019"
	}
	if socket, ok := strings.CutPrefix(listen, "unix/"); ok {
		if path, _, _ := strings.Cut(socket, "|"); path == "" { // the permissions follow
			return Finding{CheckAdmin, listen, Failed, "the socket has no path", "Set the variable that `admin` in the global options names."}
		}
		return Finding{Check: CheckAdmin, About: listen, Status: OK, Detail: "it is a socket, which only its owner can open"}
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(listen, "tcp/"))
	switch {
	case err != nil:
		return Finding{CheckAdmin, listen, Failed, err.Error(), "Fix `admin` in the global options."}
	case loopback(host):
		return Finding{CheckAdmin, listen, Warning, "every process of this machine can reach it, and can replace the configuration",
			"Use a socket: " + adminSocket + "."}
	}
	return Finding{CheckAdmin, listen, Failed, "other machines can reach it: they can read the secrets and replace the configuration",
		"Use a socket: " + adminSocket + "."}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// listening is the state of a socket that accepts connections, in /proc/net/tcp: proc(5).
const listening = "0A"

// Upstream reports whether a client could bypass the gateway, connect to an upstream and send
// identity headers itself. proc is /proc/net; dial is the upstream's host:port.
func Upstream(proc fs.FS, dial string) Finding {
	host, text, err := net.SplitHostPort(dial)
	port, portErr := strconv.ParseUint(text, 10, 16)
	if err := errors.Join(err, portErr); err != nil {
		return Finding{Check: CheckUpstream, About: dial, Status: NotChecked, Detail: "it is not an address with a port"}
	}
	if number, err := strconv.ParseUint(host, 10, 16); err == nil {
		return Finding{CheckUpstream, dial, Failed, "the port is taken for a host name", fmt.Sprintf("Write 127.0.0.1:%d.", number)}
	}
	if host != "" && !loopback(host) { // :9000 is on this machine
		return Finding{CheckUpstream, dial, NotChecked, "it is on another machine",
			"Make sure that only the gateway can connect to it: a firewall, a NetworkPolicy, or a private network."}
	}
	addresses, err := listeners(proc, uint16(port))
	switch {
	case err != nil:
		return Finding{Check: CheckUpstream, About: dial, Status: NotChecked, Detail: "the sockets of this machine cannot be listed: " + err.Error()}
	case len(addresses) == 0:
		return Finding{CheckUpstream, dial, Warning, "no process listens there", "Start the upstream."}
	}
	if i := slices.IndexFunc(addresses, func(a netip.Addr) bool { return !a.Unmap().IsLoopback() }); i >= 0 {
		return Finding{CheckUpstream, dial, Failed, fmt.Sprintf("it also listens on %s: a client that connects there can send any identity", addresses[i]),
			"Have the upstream listen on 127.0.0.1 only."}
	}
	return Finding{Check: CheckUpstream, About: dial, Status: OK, Detail: "it listens on loopback only"}
}

// listeners returns the local addresses at which a process accepts connections to a port.
func listeners(proc fs.FS, port uint16) ([]netip.Addr, error) {
	var found []netip.Addr
	for _, name := range []string{"tcp", "tcp6"} {
		file, err := proc.Open(name)
		if name == "tcp6" && errors.Is(err, fs.ErrNotExist) {
			continue // the kernel has no IPv6
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 4 || fields[3] != listening {
				continue
			}
			if addr, p, ok := parseSocket(fields[1]); ok && p == port {
				found = append(found, addr)
			}
		}
		_ = file.Close() // it was read
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// parseSocket parses an address and port such as 0100007F:2328. The address is in words of four
// bytes, in the byte order of the machine: wxgate is built for little-endian machines only.
func parseSocket(text string) (netip.Addr, uint16, bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return netip.Addr{}, 0, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	return addr, uint16(number), ok
}
