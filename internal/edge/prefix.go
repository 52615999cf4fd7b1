package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// errNoSuchCall is a path under the prefix that no call has: /v1.0/pub/openid, say.
var errNoSuchCall = fmt.Errorf("%w: no call of the login API has this path", auth.ErrNotFound)

// belongsToAPI reports whether a path is the prefix or lies under it, whatever its
// case and in any of the spellings that servers clean up.
// Nothing there is ever forwarded: a misspelt call would take its code or token to
// an upstream, which may log it. An empty prefix has no such paths.
func belongsToAPI(r *http.Request, prefix string) bool {
	if prefix == "" {
		return false
	}
	return isBelow(r.URL.Path, prefix) || isBelow(cleanedPath(r.URL.Path), prefix)
}

func isBelow(full, prefix string) bool {
	return len(full) >= len(prefix) && strings.EqualFold(full[:len(prefix)], prefix) && (len(full) == len(prefix) || full[len(prefix)] == '/')
}

// cleanedPath is a path as a server may route it that decodes twice, takes a
// backslash for a slash, drops path parameters, and resolves dot segments.
func cleanedPath(decoded string) string {
	if !strings.ContainsAny(decoded, `%;\`) && !strings.Contains(decoded, "//") && !strings.Contains(decoded, "/.") {
		return decoded // as nearly every path is
	}
	if twice, err := url.PathUnescape(decoded); err == nil {
		decoded = twice
	}
	segments := strings.Split(strings.ReplaceAll(decoded, `\`, "/"), "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return path.Clean("/" + strings.Join(segments, "/"))
}
