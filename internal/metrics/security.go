package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/wechat"
)

var securityChecks = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "wxgate_wechat_api_security_total",
	Help: "Responses of WeChat to encrypted and signed calls, by app and outcome: `verified`, `deprecated` (verified with a certificate that WeChat replaces), `plain_error` (an error that is not authenticated), and what is refused: `not_encrypted`, `unsigned`, `serial`, `signature`, `timestamp`, `appid`, `decrypt` and `mismatch`.",
}, []string{"app", "outcome"})

// ObserveSecurity counts the response to an encrypted call.
func ObserveSecurity(check wechat.SecurityCheck) {
	securityChecks.WithLabelValues(string(check.App), string(check.Outcome)).Inc()
}
