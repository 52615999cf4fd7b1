package callback

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// An element is an element of a message in XML: it has a text or children.
type element struct {
	name     string
	text     strings.Builder
	literal  bool // the text is CDATA
	children []*element
}

// elementName is the name of an element, as WeChat's are.
var elementName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)

// itemName is the name of the elements of a list.
const itemName = "item"

// plainXML converts a message in XML to the JSON that Cloud Hosting would send for it: an
// element is a member of the object of its parent. Repeated elements, and the items of an
// element that has no other children, are an array. WeChat writes strings as CDATA and numbers
// without it, which distinguishes "1" from 1. Numbers keep their digits. The error is
// errNoMessage: for everything that WeChat does not send, see [readElement], and for a
// duplicate text below <xml>, which two parsers could read as different values.
func plainXML(body []byte) (jsontext.Value, error) {
	root, err := readElement(body)
	if err != nil {
		return nil, err
	}
	if root.name != "xml" || len(root.children) == 0 || root.duplicate() {
		return nil, errNoMessage
	}
	var out bytes.Buffer
	if writeObject(jsontext.NewEncoder(&out), root) != nil {
		return nil, errNoMessage
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// readElement reads a document. It refuses everything that WeChat does not use and with which
// two parsers could disagree on a value: a document type, whose entities may expand without
// bound or read files (entity bombs, XXE), comments and instructions, which split a text,
// attributes, namespaces, text next to elements, and deep nesting.
func readElement(body []byte) (*element, error) {
	in := xml.NewDecoder(bytes.NewReader(body))
	root := &element{}
	open := []*element{root}
	for {
		at := in.InputOffset()
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		declaration, _ := token.(xml.ProcInst)
		if at == 0 && declaration.Target == "xml" {
			continue
		}
		if err != nil || len(open) > maxDepth+1 { // open includes the document
			return nil, errNoMessage
		}
		next := open[len(open)-1].take(token, bytes.HasPrefix(body[at:], []byte("<![CDATA[")))
		switch _, end := token.(xml.EndElement); {
		case next == nil:
			return nil, errNoMessage
		case end:
			open = open[:len(open)-1]
		case next != open[len(open)-1]:
			open = append(open, next)
		}
	}
	if len(root.children) != 1 || !root.complete() {
		return nil, errNoMessage
	}
	return root.children[0], nil
}

// take adds a token to the element. It returns the element, its new child, or nil for a token
// that is refused.
func (e *element) take(token xml.Token, literal bool) *element {
	switch token := token.(type) {
	case xml.StartElement:
		if len(token.Attr) == 0 && token.Name.Space == "" && elementName.MatchString(token.Name.Local) {
			child := &element{name: token.Name.Local}
			e.children = append(e.children, child)
			return child
		}
	case xml.EndElement:
		if e.complete() {
			return e
		}
	case xml.CharData:
		if e.add(token, literal) {
			return e
		}
	}
	return nil // also for comments, instructions and document types
}

// add appends a part of the text. The text of an element with CDATA must be white space outside
// the CDATA.
func (e *element) add(part []byte, literal bool) bool {
	switch blank := len(bytes.TrimSpace(part)) == 0; {
	case literal && !e.literal:
		if strings.TrimSpace(e.text.String()) != "" {
			return false
		}
		e.text.Reset()
		e.literal = true
	case e.literal && !literal:
		return blank
	}
	_, _ = e.text.Write(part)
	return true
}

// complete reports whether the element has no text besides its children.
func (e *element) complete() bool {
	return len(e.children) == 0 || !e.literal && strings.TrimSpace(e.text.String()) == ""
}

// duplicate reports whether two children have the same name, and one of them is not a list.
func (e *element) duplicate() bool {
	seen := map[string]bool{} // whether the child has children
	for _, child := range e.children {
		list, ok := seen[child.name]
		if ok && (!list || len(child.children) == 0) {
			return true
		}
		seen[child.name] = len(child.children) > 0
	}
	return false
}

// number matches a JSON number without an exponent, of limited length: WeChat's numbers are not
// longer.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,29})?$`)

func writeValue(to *jsontext.Encoder, e *element) error {
	switch text := e.text.String(); {
	case len(e.children) > 0 && slices.ContainsFunc(e.children, func(c *element) bool { return c.name != itemName }):
		return writeObject(to, e)
	case len(e.children) > 0:
		return writeArray(to, e.children)
	case e.literal:
		return to.WriteToken(jsontext.String(text))
	case number.MatchString(strings.TrimSpace(text)):
		return to.WriteValue(jsontext.Value(strings.TrimSpace(text)))
	default:
		return to.WriteToken(jsontext.String(strings.TrimSpace(text)))
	}
}

func writeObject(to *jsontext.Encoder, e *element) error {
	named := map[string][]*element{}
	for _, child := range e.children {
		named[child.name] = append(named[child.name], child)
	}
	if err := to.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, child := range e.children {
		same := named[child.name]
		if same[0] != child {
			continue // already in the array of the first element with this name
		}
		if err := to.WriteToken(jsontext.String(child.name)); err != nil {
			return err
		}
		write := func() error { return writeValue(to, child) }
		if len(same) > 1 {
			write = func() error { return writeArray(to, same) }
		}
		if err := write(); err != nil {
			return err
		}
	}
	return to.WriteToken(jsontext.EndObject)
}

func writeArray(to *jsontext.Encoder, elements []*element) error {
	if err := to.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for _, e := range elements {
		if err := writeValue(to, e); err != nil {
			return err
		}
	}
	return to.WriteToken(jsontext.EndArray)
}
