package command

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"runtime"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/doctor"
	"github.com/wxgate/wxgate/internal/version"
)

// versions compares this binary with the gateway whose admin API listens at an address of the
// configuration.
func versions(ctx context.Context, listen string) doctor.Finding {
	own := doctor.Build{Wxgate: version.String(), Caddy: version.Caddy(), Go: runtime.Version()}
	if listen == doctor.AdminOff {
		return doctor.NoGateway(own, "the admin API is off")
	}
	address, err := caddy.ParseNetworkAddress(cmp.Or(listen, caddy.DefaultAdminListen))
	if err != nil {
		return doctor.NoGateway(own, err.Error())
	}
	host, transport := address.JoinHostPort(0), new(http.Transport)
	if address.IsUnixNetwork() {
		path, _, _ := strings.Cut(address.Host, "|") // the mode of the socket
		host = "127.0.0.1"                           // Caddy accepts no other name on a socket
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, address.Network, path)
		}
	}
	defer transport.CloseIdleConnections()
	return doctor.Versions(ctx, transport, "http://"+host+adminapi.ShowStatus.Path, own)
}
