package page

import (
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strconv"
)

// Theme has the colors of the pages, as #rgb or #rrggbb: custom properties of their style. The
// default of an empty color differs between light and dark mode.
type Theme struct {
	Accent     string // --wxgate-accent: buttons
	Background string // --wxgate-background: around the card with the text
}

// color matches the colors that a theme may have. Only these reach the style (CSS injection).
var color = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// style returns the style of the pages in these colors.
func (t Theme) style() (template.CSS, error) {
	for _, c := range []struct{ name, value string }{{"accent", t.Accent}, {"background", t.Background}} {
		if c.value != "" && !color.MatchString(c.value) {
			return "", fmt.Errorf("theme: %s %q is not a color such as #07c160", c.name, c.value)
		}
	}
	own := ""
	if t.Accent != "" {
		own += "--wxgate-accent: " + t.Accent + "; --on-accent: " + readable(t.Accent) + ";"
	}
	if t.Background != "" {
		own += "--wxgate-background: " + t.Background + ";"
	}
	if own != "" {
		own = ":root {" + own + "}\n"
	}
	return template.CSS(compact(styleSource) + own), nil //nolint:gosec // G203: the colors have been checked
}

// readable returns the color of text on a background: black or white, whichever has the higher
// contrast (WCAG 2.2 section 1.4.3), which is 4.5 or more on every background.
func readable(background string) string {
	const flare = 0.05
	l := luminance(background)
	if (1+flare)/(l+flare) >= (l+flare)/flare {
		return "#fff"
	}
	return "#000"
}

// luminance is the relative luminance of a color that has been checked (WCAG 2.2).
func luminance(value string) float64 {
	digits := value[1:]
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		c := float64(n) / math.MaxUint8
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
