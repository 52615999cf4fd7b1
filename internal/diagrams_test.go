package internal_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var updateDiagrams = flag.Bool("update-diagrams", false, "write the pictures of docs/web.md")

// maxDiagramBytes keeps the pictures small enough to load with their page.
const maxDiagramBytes = 15_000

// TestDiagrams compares the pictures of docs/web.md, in both languages, with what draws them.
// Run it with -update-diagrams after a change.
func TestDiagrams(t *testing.T) {
	for name, flow := range flows {
		for folder, chinese := range map[string]bool{"docs/images": false, "docs/zh/images": true} {
			drawn := flow.draw(chinese)
			if len(drawn) > maxDiagramBytes {
				t.Errorf("%s/%s.svg has %d bytes", folder, name, len(drawn))
			}
			file := filepath.Join(moduleRoot, folder, name+".svg")
			if *updateDiagrams {
				if err := os.WriteFile(file, drawn, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			stored, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(stored, drawn) {
				t.Errorf("%s is not what its flow draws: run go test ./internal -run TestDiagrams -update-diagrams", file)
			}
		}
	}
}

// words is a text in English and Chinese.
type words [2]string

func (w words) in(chinese bool) string {
	if chinese {
		return w[1]
	}
	return w[0]
}

// A flow is a sequence diagram.
type flow struct {
	title words
	lanes []words
	steps []step
}

// A step is an arrow from one lane to another or, if they are the same, a note on one.
type step struct {
	kind     stepKind
	from, to int
	text     words
}

type stepKind int

const (
	request  stepKind = iota
	response          // dashed
	login             // a response with the session cookie
	note
)

// The measures of a diagram, in pixels.
const (
	laneWidth  = 236
	laneMargin = 24
	boxWidth   = 204
	boxHeight  = 36
	boxTop     = 20
	firstStep  = 96
	stepHeight = 40
	noteHeight = 28
	arrowGap   = 5
)

// style has every color, so that the picture looks the same on a light and on a dark page.
const style = `text{font:13px system-ui,-apple-system,"Segoe UI","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;fill:#1f2328;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}` +
	`.n{fill:#57606a;font-size:12px;stroke:none}.h{font-weight:600;stroke:none}.g{fill:#0a6b3a;font-weight:600}` +
	`.b{fill:#eef2f6;stroke:#8c959f}.w{fill:#fff7e0;stroke:#d4a72c}.l{stroke:#c4ccd4}.a{stroke:#1f2328;stroke-width:1.4;marker-end:url(#e)}` +
	`.d{stroke-dasharray:5 4}.s{stroke:#0a6b3a;stroke-width:2;marker-end:url(#f)}`

func laneX(lane int) int { return laneMargin + laneWidth*lane + laneWidth/2 }

func (f flow) draw(chinese bool) []byte {
	width := 2*laneMargin + laneWidth*len(f.lanes)
	height := firstStep + stepHeight*len(f.steps)
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", f.title.in(chinese), style)
	b.WriteString("<defs>" + arrowHead("e", "#1f2328") + arrowHead("f", "#0a6b3a") + "</defs>\n")
	fmt.Fprintf(&b, "<rect x=\".5\" y=\".5\" width=\"%d\" height=\"%d\" rx=\"10\" fill=\"#fff\" stroke=\"#d0d7de\"/>\n", width-1, height-1)
	for lane, name := range f.lanes {
		x := laneX(lane)
		fmt.Fprintf(&b, "<line class=\"l\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", x, x, boxTop+boxHeight, height-12)
		fmt.Fprintf(&b, "<rect class=\"b\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>", x-boxWidth/2, boxTop, boxWidth, boxHeight)
		fmt.Fprintf(&b, "<text class=\"h\" x=\"%d\" y=\"%d\">%s</text>\n", x, boxTop+boxHeight/2+5, name.in(chinese))
	}
	for i, s := range f.steps {
		s.draw(&b, firstStep+stepHeight*i, chinese)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func arrowHead(id, color string) string {
	return `<marker id="` + id + `" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10" orient="auto"><path d="M0 0 10 5 0 10z" fill="` + color + `"/></marker>`
}

func (s step) draw(b *bytes.Buffer, y int, chinese bool) {
	text := s.text.in(chinese)
	if s.kind == note {
		x := (laneX(s.from) + laneX(s.to)) / 2
		w := boxWidth + laneWidth*(s.to-s.from) + 24
		fmt.Fprintf(b, "<rect class=\"w\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>", x-w/2, y-noteHeight/2, w, noteHeight)
		fmt.Fprintf(b, "<text class=\"n\" x=\"%d\" y=\"%d\">%s</text>\n", x, y+4, text)
		return
	}
	line, label := "a", ""
	switch s.kind {
	case request, note:
	case response:
		line = "a d"
	case login:
		line, label = "a s", ` class="g"`
	}
	from, to := laneX(s.from), laneX(s.to)
	fmt.Fprintf(b, "<text%s x=\"%d\" y=\"%d\">%s</text>", label, (from+to)/2, y-2, text)
	if to > from {
		to -= arrowGap
	} else {
		to += arrowGap
	}
	fmt.Fprintf(b, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", line, from, to, y+6, y+6)
}
