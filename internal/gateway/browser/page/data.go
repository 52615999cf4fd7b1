package page

// Page is the data of every template.
type Page struct {
	Lang  string // en or zh-CN
	Nonce string // for <script nonce> and <style nonce>
	Text  Text   // the built-in texts, in the language
}

// Scan is the data of scan.html.
type Scan struct {
	API     string // path of the calls of a scan, such as /v1.0/pub/web/scan
	Return  string // URL to go to after the sign-in; the gateway has checked it
	Website string // URL of WeChat's page with a QR code, "" for none
}

// Continue is the data of continue.html: the target of its form, and the fields of the form.
type Continue struct {
	Action string
	Ticket string // field ticket
	Return string // field return
	Name   string // of the user, "" if unknown
}

// Error is the data of error.html.
type Error struct {
	Status    int
	Code      string // error code, such as ticket_invalid
	Title     string // "" for the built-in text
	Detail    string // in the language of the browser
	RequestID string
	Retry     string // URL to try again, "" for none
}

type scanData struct {
	Page
	Scan
}

type continueData struct {
	Page
	Continue
}

type errorData struct {
	Page
	Error
}

// samples are data of each page, with all values and with only the required values. New
// executes the templates with them.
func samples(chinese bool) map[string][]any {
	page := newPage(chinese)
	return map[string][]any{
		scanFile: {
			scanData{page, Scan{API: "/v1.0/pub/web/scan", Return: "/", Website: "/v1.0/pub/web/login?door=website"}},
			scanData{page, Scan{API: "/v1.0/pub/web/scan", Return: "/"}},
		},
		continueFile: {
			continueData{page, Continue{Action: "/v1.0/pub/web/enter", Ticket: "ticket", Return: "/", Name: "Alice"}},
			continueData{page, Continue{Action: "/v1.0/pub/web/enter", Ticket: "ticket", Return: "/"}},
		},
		errorFile: {
			errorData{page, Error{Status: 400, Code: "ticket_invalid", Title: "Title", Detail: "Detail.", RequestID: "request", Retry: "/"}},
			errorData{page, Error{Status: 500}},
		},
	}
}
