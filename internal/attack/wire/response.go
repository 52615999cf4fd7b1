package wire

import "strings"

// Response is a response to the client.
type Response struct {
	Status int
	Header []Field
	Body   string
}

// Get returns the first value of a header; "" if there is none.
func (a *Response) Get(name string) string {
	if a == nil {
		return ""
	}
	for _, f := range a.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}
