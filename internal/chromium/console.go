package chromium

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// Forgive forgets the errors so far with a text, and returns how many there are: at least one.
func (b *Tab) Forgive(text string) (n int) {
	b.T.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(b.wrong), func(what string) bool { return strings.Contains(what, text) })
	if n = len(b.wrong) - len(rest); n == 0 {
		b.T.Errorf("the browser did not report %q, but %q", text, b.wrong)
	}
	b.wrong = rest
	return n
}

// observe notes what goes wrong in the page.
func (b *Tab) observe(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text, _ := json.Marshal(e.Args)
			b.wrong = append(b.wrong, "console: "+string(text))
		}
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *log.EventEntryAdded:
		isStatus := e.Entry.Source == log.EntrySourceNetwork && strings.HasPrefix(e.Entry.Text, "Failed to load resource:")
		if (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) && (b.options.Statuses || !isStatus) {
			b.wrong = append(b.wrong, "log: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		b.requested(e.Request.Method, e.Request.URL)
	}
}

func (b *Tab) requested(method, url string) {
	if b.options.OnRequest != nil {
		b.options.OnRequest(method, url)
	}
	if len(b.options.Origins) == 0 || strings.HasPrefix(url, "data:") {
		return
	}
	if !slices.ContainsFunc(b.options.Origins, func(origin string) bool { return strings.HasPrefix(url, origin+"/") }) {
		b.wrong = append(b.wrong, "request to another origin: "+url)
	}
}
