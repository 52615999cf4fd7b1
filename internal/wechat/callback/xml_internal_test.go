package callback

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// The messages are samples of WeChat's documentation.
func TestPlainXML(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ xml, json string }{
		"text": {
			`<xml>
  <ToUserName><![CDATA[gh_1]]></ToUserName>
  <FromUserName><![CDATA[o1]]></FromUserName>
  <CreateTime>1348831860</CreateTime>
  <MsgType><![CDATA[text]]></MsgType>
  <Content><![CDATA[1 < 2 & "3"]]></Content>
  <MsgId>1234567890123456789</MsgId>
</xml>`,
			`{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":1348831860,"MsgType":"text","Content":"1 < 2 & \"3\"","MsgId":1234567890123456789}`,
		},
		"numbers that are strings": {`<xml><Content><![CDATA[7]]></Content><RevokeInfo><![CDATA[8]]></RevokeInfo></xml>`, `{"Content":"7","RevokeInfo":"8"}`},
		"a position":               {`<xml><Location_X>23.134520</Location_X><Scale>20</Scale><Zero>-0.5</Zero></xml>`, `{"Location_X":23.134520,"Scale":20,"Zero":-0.5}`},
		"not numbers":              {`<xml><A>007</A><B>1e5</B><C>+1</C><D>1.</D><E>` + strings.Repeat("9", 31) + `</E></xml>`, `{"A":"007","B":"1e5","C":"+1","D":"1.","E":"` + strings.Repeat("9", 31) + `"}`},
		"text without CDATA":       {`<xml><OpenID> o1 </OpenID><Note>a &lt; b&#20013;</Note></xml>`, `{"OpenID":"o1","Note":"a < b中"}`},
		"CDATA in two parts":       {`<xml><A> <![CDATA[a]]]]><![CDATA[>b ]]> </A></xml>`, `{"A":"a]]>b "}`},
		"empty":                    {`<xml><A/><B></B><C><![CDATA[]]></C></xml>`, `{"A":"","B":"","C":""}`},
		"a single element": {
			`<xml><SubscribeMsgPopupEvent><List><TemplateId><![CDATA[a]]></TemplateId></List></SubscribeMsgPopupEvent></xml>`,
			`{"SubscribeMsgPopupEvent":{"List":{"TemplateId":"a"}}}`,
		},
		"a list": {
			`<xml><SubscribeMsgPopupEvent><List><TemplateId><![CDATA[a]]></TemplateId><PopupScene>2</PopupScene></List><List><TemplateId><![CDATA[b]]></TemplateId></List></SubscribeMsgPopupEvent></xml>`,
			`{"SubscribeMsgPopupEvent":{"List":[{"TemplateId":"a","PopupScene":2},{"TemplateId":"b"}]}}`,
		},
		"a list below xml": {`<xml><List><A>1</A></List><B/><List><A>2</A></List></xml>`, `{"List":[{"A":1},{"A":2}],"B":""}`},
		"items": {
			`<xml><SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum><![CDATA[1b5f7c23b5bf75682a53e7b6d163e185]]></PicMd5Sum></item></PicList></SendPicsInfo></xml>`,
			`{"SendPicsInfo":{"Count":1,"PicList":[{"PicMd5Sum":"1b5f7c23b5bf75682a53e7b6d163e185"}]}}`,
		},
		"a declaration": {`<?xml version="1.0" encoding="UTF-8"?><xml><A>1</A></xml>`, `{"A":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := plainXML([]byte(row.xml))
			if err != nil || string(got) != row.json {
				t.Errorf("got %s, %v; want %s", got, err, row.json)
			}
		})
	}
}

// Documents that two parsers may read differently, or that exhaust a parser.
func TestPlainXMLRefuses(t *testing.T) {
	t.Parallel()
	laughs := `<!DOCTYPE lolz [<!ENTITY a "ha">`
	for n := range 9 {
		laughs += `<!ENTITY ` + string(rune('b'+n)) + ` "` + strings.Repeat("&"+string(rune('a'+n))+";", 10) + `">`
	}
	for name, body := range map[string]string{
		"billion laughs":         laughs + `]><xml><Content>&j;</Content></xml>`,
		"external entity":        `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Content>&e;</Content></xml>`,
		"external document type": `<!DOCTYPE xml SYSTEM "http://127.0.0.1/x.dtd"><xml><A>1</A></xml>`,
		"parameter entity":       `<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1/"> %e;]><xml><A>1</A></xml>`,
		"document type within":   `<xml><!DOCTYPE x><A>1</A></xml>`,
		"an unknown entity":      `<xml><A>&nbsp;</A></xml>`,
		"a comment in a text":    `<xml><OpenID>o1<!-- -->2</OpenID></xml>`,
		"an instruction":         `<xml><?php x?><A>1</A></xml>`,
		"another instruction":    `<?xml-stylesheet href="x"?><xml><A>1</A></xml>`,
		"an attribute":           `<xml><OpenID x="y">o1</OpenID></xml>`,
		"a namespace":            `<xml xmlns="x"><A>1</A></xml>`,
		"a prefix":               `<xml><x:OpenID>o1</x:OpenID></xml>`,
		"duplicate text":         `<xml><OpenID>a</OpenID><OpenID>a</OpenID></xml>`,
		"text and list":          `<xml><A>1</A><A><B>1</B></A></xml>`,
		"list and text":          `<xml><A><B>1</B></A><A>1</A></xml>`,
		"text beside elements":   `<xml>a<B>1</B></xml>`,
		"CDATA beside elements":  `<xml><![CDATA[ ]]><B>1</B></xml>`,
		"text beside CDATA":      `<xml><A>a<![CDATA[b]]></A></xml>`,
		"CDATA beside text":      `<xml><A><![CDATA[b]]>a</A></xml>`,
		"two roots":              `<xml><A>1</A></xml><xml><A>1</A></xml>`,
		"text after":             `<xml><A>1</A></xml>a`,
		"another root":           `<html><A>1</A></html>`,
		"empty document":         `<xml/>`,
		"a text":                 `<xml>1</xml>`,
		"half":                   `<xml><A>1</A>`,
		"crossed":                `<xml><A><B></A></B></xml>`,
		"a name":                 `<xml><中>1</中></xml>`,
		"deep":                   `<xml>` + strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth) + `</xml>`,
		"GBK":                    "<xml><A>\xc4\xe3</A></xml>",
		"another encoding":       `<?xml version="1.0" encoding="GBK"?><xml><A>1</A></xml>`,
		"a control character":    "<xml><A>\x01</A></xml>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := plainXML([]byte(body))
			if !errors.Is(err, auth.ErrInvalidRequest) {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

// FuzzXML converts any input. The result is one JSON object without duplicates, which can be
// converted to XML and back.
func FuzzXML(f *testing.F) {
	for _, seed := range []string{
		`<xml><A>1</A><B><![CDATA[x]]></B><L><item>1</item><item><C/></item></L></xml>`,
		`<?xml version="1.0"?><xml><List><A>1</A></List><List><A>2</A></List></xml>`,
		`<!DOCTYPE x [<!ENTITY e "x">]><xml><A>&e;</A></xml>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		object, err := plainXML(body)
		if err != nil {
			return
		}
		if object.Kind() != '{' || !object.IsValid() {
			t.Fatalf("%q became %s", body, object)
		}
		converted, err := toXML(object)
		if err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		if back, err := plainXML(converted); err != nil || len(back) == 0 {
			t.Fatalf("%s is refused: %v", converted, err)
		}
	})
}

// FuzzJSON reads any input. All parsers read the result in the same way.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{" OpenID": "o", "MsgId": 1234567890123456789, "L": [1, {"a": null}]}`, `{"a":1," a":2}`, "{\"a\":\"\xc4\xe3\"}", `[]`, `{}{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		object, err := plainJSON(body)
		if err != nil {
			return
		}
		if object.Kind() != '{' || !object.IsValid() { // valid: one value, UTF-8, no duplicates
			t.Fatalf("%q became %s", body, object)
		}
		if again, err := plainJSON(object); err != nil || string(again) != string(object) {
			t.Fatalf("%s is read as %s: %v", object, again, err)
		}
		if _, err := fieldsOf(object); err != nil && !errors.Is(err, auth.ErrInvalidRequest) {
			t.Fatal(err)
		}
		if converted, err := toXML(object); err == nil {
			if _, err := readElement(converted); err != nil {
				t.Fatalf("%s became %s: %v", object, converted, err)
			}
		}
	})
}

func TestPlainJSON(t *testing.T) {
	t.Parallel()
	const in = "\n{ \"MsgId\" : 23637352235060880123, \"a\": [1.50, 1E2], \" b \": {\"c \": \"\u00e4\\u4e2d<\"} }\n"
	const want = `{"MsgId":23637352235060880123,"a":[1.50,1E2],"b":{"c":"ä中<"}}`
	if got, err := plainJSON(jsontext.Value(in)); err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}
