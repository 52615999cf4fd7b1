package caddymodule_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// codesPage is the error codes that docs/api.md documents.
type codesPage struct {
	advice map[string]string          // by status and code, such as "401 invalid_code"
	calls  map[string]map[string]bool // the codes that "Errors:" of each call lists, by heading
	seen   map[string]map[string]bool // the codes that each call returned in the test
}

var (
	codeRow      = regexp.MustCompile("(?m)^\\| (?:<a id=\"code-([a-z_]+)\"></a>)?`([a-z_]+)` \\| (\\d{3}) \\|[^|]*\\| ([^|]*) \\|$")
	callSection  = regexp.MustCompile(`(?m)^## (.+)$`)
	errorsList   = regexp.MustCompile(`(?s)\nErrors: (.*?)\.\n\n`)
	listedCode   = regexp.MustCompile("`([a-z_]+)`(?: \\((\\d{3})\\))?")
	weChatsOwn   = regexp.MustCompile("(?s)### When WeChat fails\n\n(.*?) come from calls")
	sessionsRow  = regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\| ([0-9, ]+) \\|[^|]*\\| ([^|]*) \\|$")
	inBackquotes = regexp.MustCompile("`([a-z_]+)`")
)

// readCodes parses docs/api.md. Every code must have the anchor that a problem's
// type links to.
func readCodes(t *testing.T) *codesPage {
	t.Helper()
	text := readDocument(t, "api.md")
	page := &codesPage{advice: map[string]string{}, calls: map[string]map[string]bool{}, seen: map[string]map[string]bool{}}
	statuses, anchors := map[string][]string{}, map[string]int{}
	for _, row := range codeRow.FindAllStringSubmatch(text, -1) {
		anchor, code, status := row[1], row[2], row[3]
		page.advice[status+" "+code] = strings.ReplaceAll(row[4], "`", "")
		statuses[code] = append(statuses[code], status)
		if anchor != "" && anchor != code {
			t.Errorf("docs/api.md has the anchor of %s at %s", anchor, code)
		}
		if anchor != "" {
			anchors[code]++
		}
	}
	for code := range statuses {
		if anchors[code] != 1 {
			t.Errorf(`docs/api.md has %d anchors <a id="code-%s"></a>, want 1`, anchors[code], code)
		}
	}
	own := weChatsOwn.FindStringSubmatch(text)
	if own == nil || len(page.advice) < 25 {
		t.Fatalf("docs/api.md does not have the format that this test expects: %d rows", len(page.advice))
	}
	heads := callSection.FindAllStringSubmatchIndex(text, -1)
	for i, head := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		list := errorsList.FindStringSubmatch(text[head[0]:end] + "\n")
		if list == nil {
			continue
		}
		name, listed := text[head[2]:head[3]], map[string]bool{}
		for _, code := range listedCode.FindAllStringSubmatch(strings.ReplaceAll(list[1], "[own troubles](#when-wechat-fails)", own[1]), -1) {
			switch status := code[2]; {
			case status != "":
				listed[status+" "+code[1]] = true
			case len(statuses[code[1]]) == 1:
				listed[statuses[code[1]][0]+" "+code[1]] = true
			default:
				t.Errorf("docs/api.md, %s: %s has %d statuses in the table; add the status in parentheses", name, code[1], len(statuses[code[1]]))
			}
		}
		page.calls[name] = listed
	}
	return page
}

// saw compares a response with the page: its code, status and advice, and the documented
// headers.
func (p *codesPage) saw(t *testing.T, call string, a response) {
	t.Helper()
	key := rowOf(t, a)
	if p.seen[call] == nil {
		p.seen[call] = map[string]bool{}
	}
	p.seen[call][key] = true
	advice, ok := p.advice[key]
	if !ok {
		t.Errorf("docs/api.md has no row for %s", key)
	}
	checkAdvice(t, key, a.str(t, "detail"), advice)
	if (a.header.Get("Retry-After") != "") != (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) {
		t.Errorf("%s has Retry-After %q", key, a.header.Get("Retry-After"))
	}
	if !p.calls[call][key] {
		t.Errorf("%s returned %s, which its list in docs/api.md does not have", call, key)
	}
}

// rowOf returns the row of the page for a response. invalid_request has one row for all its
// statuses.
func rowOf(t *testing.T, a response) string {
	t.Helper()
	code, status := a.str(t, "code"), a.status
	if code == "invalid_request" {
		status = http.StatusBadRequest
	}
	return fmt.Sprintf("%d %s", status, code)
}

// checkAdvice fails the test unless a problem's detail ends with the page's advice
// or, where the page says so, gives the advice itself.
func checkAdvice(t *testing.T, key, detail, advice string) {
	t.Helper()
	if strings.Contains(advice, "detail says") {
		if !strings.HasSuffix(detail, ".") {
			t.Errorf("%s: the detail %q is not a sentence", key, detail)
		}
	} else if advice == "" || !strings.HasSuffix(detail, " "+advice) && detail != advice {
		t.Errorf("%s: the detail %q does not end with the page's advice %q", key, detail, advice)
	}
}

// complete fails the test unless every listed code was returned by its call, and every row
// is listed by a call. The code internal means a bug: no request causes it.
func (p *codesPage) complete(t *testing.T) {
	t.Helper()
	rows := maps.Clone(p.advice)
	delete(rows, "500 internal")
	for call, listed := range p.calls {
		for key := range listed {
			if !p.seen[call][key] {
				t.Errorf("docs/api.md lists %s for %s, but no request of this test caused it", key, call)
			}
			delete(rows, key)
		}
	}
	for key := range rows {
		t.Errorf("docs/api.md has a row for %s, and no call lists it", key)
	}
	for call := range p.seen {
		if p.calls[call] == nil {
			t.Errorf("docs/api.md has no list of errors for %s", call)
		}
	}
}

// TestSessionsPageAgrees: docs/sessions.md gives each code the status and the
// advice of docs/api.md, and leaves none out.
func TestSessionsPageAgrees(t *testing.T) {
	page := readCodes(t)
	rest := maps.Clone(page.advice)
	for _, row := range sessionsRow.FindAllStringSubmatch(readDocument(t, "sessions.md"), -1) {
		codes, statuses, advice := inBackquotes.FindAllStringSubmatch(row[1], -1), strings.Split(row[2], ", "), strings.ReplaceAll(row[3], "`", "")
		for i, code := range codes {
			key := statuses[min(i, len(statuses)-1)] + " " + code[1]
			if page.advice[key] != advice {
				t.Errorf("%s: docs/sessions.md has %q, docs/api.md has %q", key, advice, page.advice[key])
			}
			delete(rest, key)
		}
	}
	if len(rest) > 0 {
		t.Errorf("docs/sessions.md leaves out %q", slices.Sorted(maps.Keys(rest)))
	}
}
