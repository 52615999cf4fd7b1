package edge

import (
	"net/http"
	"strings"
)

// minRepeated is the length of the shortest credential that is searched for in headers.
// WeChat's codes have 32 characters. Without this, a client could remove any header with
// "token=1".
const minRepeated = 16

// DropRepeated removes the headers that repeat a credential of the query, which Caddy logs: the
// Referer, and the X-Forwarded-Uri or X-Original-URI of a proxy.
func DropRepeated(header http.Header, credentials []string) {
	delete(header, "Referer")
	for name, values := range header {
		text := strings.Join(values, " ")
		for _, credential := range credentials {
			if len(credential) >= minRepeated && strings.Contains(text, credential) {
				delete(header, name)
			}
		}
	}
}
