// Package doctor has the checks of `wxgate doctor`. Each checks one thing that operators get
// wrong, changes nothing, and returns advice. It depends on no server: caddymodule/command reads
// the configuration and calls the checks.
package doctor

import "time"

// Status is the result of a check.
type Status string

// The results. Only Failed makes the command fail.
const (
	OK         Status = "ok"
	Warning    Status = "warning"     // it works, but the documentation of wxgate advises against it
	Failed     Status = "failed"      // logins, requests or restarts fail, or the identity is not safe
	NotChecked Status = "not checked" // this machine cannot see it
)

// Finding is the result of one check.
type Finding struct {
	Check  string `json:"check"`            // such as credentials
	About  string `json:"about,omitempty"`  // what was checked: an appid, a file, an address
	Status Status `json:"status"`           // one of the constants
	Detail string `json:"detail"`           // what was found
	Advice string `json:"advice,omitempty"` // what to do; empty if the status is ok
}

// The names of the checks.
const (
	CheckConfiguration = "configuration"
	CheckClock         = "clock"
	CheckAPI           = "api"
	CheckCredentials   = "credentials"
	CheckStorage       = "storage"
	CheckStore         = "store"
	CheckUpstream      = "upstream"
	CheckAdmin         = "admin"
	CheckSecrets       = "secrets"
	CheckFiles         = "files"
	CheckVersions      = "versions"
)

// callTimeout bounds every call that a check makes. It is longer than the gateway waits for
// WeChat, and short enough for an operator who waits for all checks.
const callTimeout = 10 * time.Second

// Failures returns how many findings failed.
func Failures(findings []Finding) int {
	n := 0
	for _, f := range findings {
		if f.Status == Failed {
			n++
		}
	}
	return n
}

// Configuration reports whether the configuration loads; err is the reason if it does not.
func Configuration(file string, err error) Finding {
	if err != nil {
		return Finding{CheckConfiguration, file, Failed, err.Error(), "Fix the configuration. The checks that need it were left out."}
	}
	return Finding{Check: CheckConfiguration, About: file, Status: OK, Detail: "it loads"}
}

// Secrets reports the secrets that the configuration has as literals, by name.
func Secrets(literal []string) []Finding {
	if len(literal) == 0 {
		return []Finding{{Check: CheckSecrets, Status: OK, Detail: "none is in the configuration itself"}}
	}
	var found []Finding
	for _, name := range literal {
		found = append(found, Finding{CheckSecrets, name, Failed, "it is in the configuration itself, which the admin API shows",
			"Write {env.NAME} or {file./path} in its place. In a Caddyfile, {$NAME} is expanded when the file is read, and so does not help."})
	}
	return found
}
