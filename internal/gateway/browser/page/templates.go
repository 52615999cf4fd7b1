package page

import (
	"bytes"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed files/*.html
var builtIn embed.FS

//go:embed files/style.css
var styleSource string

//go:embed files/scan.js
var scriptSource string

// maxFile is the maximum size of an operator's file.
const maxFile = 128 << 10

// compact removes indentation, empty lines and comments. A comment is a separate line, or
// follows code after " // ".
func compact(source string) string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		line, _, _ = strings.Cut(line, " // ")
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "/*") {
			continue
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// loader reads and checks the templates of a folder.
type loader struct {
	folder string
	files  fs.FS // of the folder; nil without
	html   []string
	images map[string]template.URL // by name
	style  template.CSS
	script string
}

// load reads the templates of all pages: from the folder, or the built-in template by default.
func load(style template.CSS, folder string) (map[string]*template.Template, error) {
	l := &loader{folder: folder, style: style, script: compact(scriptSource), images: map[string]template.URL{}}
	if folder != "" {
		l.files = os.DirFS(folder)
		if err := l.list(); err != nil {
			return nil, err
		}
	}
	templates := map[string]*template.Template{}
	for _, file := range []string{scanFile, continueFile, errorFile} {
		t, err := l.page(file)
		if err != nil {
			return nil, err
		}
		templates[file] = t
	}
	return templates, nil
}

// imageTypes are the media types of the images that a template may show.
var imageTypes = map[string]string{
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
}

// list finds the templates and reads the images of the folder.
func (l *loader) list() error {
	entries, err := os.ReadDir(l.folder) // the error contains the folder
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if path.Ext(name) == ".html" {
			l.html = append(l.html, name)
		}
		mediaType := imageTypes[path.Ext(name)]
		if mediaType == "" {
			continue
		}
		text, err := l.read(name)
		if err != nil {
			return err
		}
		l.images[name] = template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(text)) //nolint:gosec // G203: it is base64
	}
	if len(l.html) == 0 {
		return fmt.Errorf("%s: no file *.html; expected %s, %s or %s", l.folder, scanFile, continueFile, errorFile)
	}
	return nil
}

// read returns a file of the folder.
func (l *loader) read(name string) ([]byte, error) {
	text, err := fs.ReadFile(l.files, name)
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d KiB", l.path(name), maxFile>>10)
	}
	return text, nil
}

func (l *loader) path(name string) string { return filepath.Join(l.folder, name) }

// page returns the template of a page.
func (l *loader) page(file string) (*template.Template, error) {
	t, err := template.New(file).Funcs(template.FuncMap{
		"style":  func() template.CSS { return l.style },
		"script": func() template.JS { return template.JS(l.script) }, //nolint:gosec // G203: it is the built-in script
		"image":  l.image,
	}).ParseFS(builtIn, "files/head.html")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(l.html, file) {
		return t.ParseFS(builtIn, "files/"+file)
	}
	for _, name := range l.html {
		text, err := l.read(name)
		if err != nil {
			return nil, err
		}
		into := t
		if name != file {
			into = t.New(name)
		}
		if _, err := into.Parse(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", l.path(name), err)
		}
	}
	if err := l.check(t); err != nil {
		return nil, fmt.Errorf("%s: %w", l.path(file), err)
	}
	return t, nil
}

// image returns an image of the folder as a data: URL, which the policy allows.
func (l *loader) image(name string) (template.URL, error) {
	u, ok := l.images[name]
	if !ok {
		return "", fmt.Errorf("no image %q in the folder", name)
	}
	return u, nil
}

// check executes a template with samples: html/template reports most errors only then.
func (l *loader) check(t *template.Template) error {
	for _, chinese := range []bool{false, true} {
		for _, data := range samples(chinese)[t.Name()] {
			var out bytes.Buffer
			if err := t.Execute(&out, data); err != nil {
				return err
			}
			if err := l.checkOutput(out.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	nonced = regexp.MustCompile(`(?i)<(script|style)\b[^>]*>`)
	nonce  = regexp.MustCompile(`(?i)\snonce\s*=\s*["']?[\w-]`)
	// parts are the IDs that the script needs.
	parts = []string{"wxgate", "wxgate-image", "wxgate-number", "wxgate-status", "wxgate-again", "wxgate-return"}
)

// checkOutput reports elements that a browser would ignore, and missing elements that the
// script needs.
func (l *loader) checkOutput(html string) error {
	for _, tag := range nonced.FindAllStringSubmatch(strings.ReplaceAll(html, l.script, ""), -1) {
		if !nonce.MatchString(tag[0]) {
			return fmt.Errorf(`<%s> needs nonce="{{.Nonce}}": browsers ignore it without`, tag[1])
		}
	}
	if !strings.Contains(html, l.script) {
		return nil
	}
	for _, id := range parts {
		if !regexp.MustCompile(`\sid\s*=\s*["']?` + id + `["'\s>]`).MatchString(html) {
			return errors.New(`{{script}} needs an element with id="` + id + `"`)
		}
	}
	return nil
}
