package doctor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
)

// Build has the versions that a binary was built from.
type Build struct {
	Wxgate string `json:"version"`
	Caddy  string `json:"caddy"`
	Go     string `json:"go"`
}

func (b Build) String() string {
	// Gateways until 0.1.0 don't report Caddy's version.
	return fmt.Sprintf("wxgate %s, Caddy %s, %s", b.Wxgate, cmp.Or(b.Caddy, "unknown"), b.Go)
}

// maxStatusBytes bounds the status of a gateway, which has about 100 bytes for each app.
const maxStatusBytes = 1 << 20 // 1 MiB

// NoGateway reports the versions of this binary if there is no gateway to compare them with.
func NoGateway(own Build, why string) Finding {
	return Finding{CheckVersions, "", NotChecked, fmt.Sprintf("this is %s; %s", own, why), ""}
}

// Versions compares this binary with the running gateway, whose status is at a URL. After an
// upgrade the old process runs until it is restarted.
func Versions(ctx context.Context, transport http.RoundTripper, url string, own Build) Finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return NoGateway(own, err.Error())
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return NoGateway(own, "no gateway responds: "+err.Error())
	}
	defer func() { _ = response.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxStatusBytes))
	if err != nil {
		return NoGateway(own, "reading the status of the gateway: "+err.Error())
	}
	if response.StatusCode != http.StatusOK {
		return Finding{CheckVersions, "", Failed, fmt.Sprintf("the process at the address of the admin API returned %s for its status", response.Status),
			"If it is another Caddy, stop it or change `admin` in the global options. If it is the gateway, its log says why it does not serve."}
	}
	var running Build
	if err := json.Unmarshal(text, &running); err != nil || running.Wxgate == "" {
		return Finding{CheckVersions, "", Failed, "the process at the address of the admin API is not wxgate",
			"Stop it, or change `admin` in the global options."}
	}
	return compare(own, running)
}

func compare(own, running Build) Finding {
	if own == running {
		return Finding{Check: CheckVersions, Status: OK, Detail: "the running gateway is this binary: " + own.String()}
	}
	var differ []string
	for _, part := range [][3]string{{"wxgate", own.Wxgate, running.Wxgate}, {"Caddy", own.Caddy, running.Caddy}, {"Go", own.Go, running.Go}} {
		if part[1] != part[2] {
			differ = append(differ, part[0])
		}
	}
	return Finding{CheckVersions, "", Warning, fmt.Sprintf("the running gateway has another version of %s: it is %s; this is %s", strings.Join(differ, " and "), running, own),
		"Restart the gateway to run this binary, or run the doctor of the gateway's."}
}
