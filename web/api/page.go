package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// pagePolicy lets the page load its stylesheet and nothing else from anywhere.
const pagePolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed page.html
var pageFiles embed.FS

//go:embed page.css
var pageStyle []byte

// renderPage makes a page for people of the document for programs.
func renderPage(document []byte) ([]byte, error) {
	var doc openAPI
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read the API's own document: %w", err)
	}
	page, err := template.New("page.html").Funcs(template.FuncMap{"prose": prose, "type": typeText, "anchor": anchor, "required": required}).ParseFS(pageFiles, "page.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, doc)
	return out.Bytes(), err
}

// openAPI is what the page shows of the document.
type openAPI struct {
	Info struct{ Title, Version, Description string }
	Tags []struct{ Name, Description string }

	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	Method, Path string `json:"-"`

	OperationID          string
	Summary, Description string
	Tags                 []string
	Security             []map[string][]string
	Parameters           []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody *struct{ Content map[string]media }
	Responses   map[string]response
}

type response struct {
	Description string
	Content     map[string]media
}

type media struct{ Schema schema }

type schema struct {
	Type                 any    // a word, or several
	Ref                  string `json:"$ref"`
	Format, Description  string
	Default              any
	Enum                 []any
	Minimum, Maximum     *float64
	Items                *schema
	Properties           map[string]schema
	Required             []string
	AdditionalProperties any
}

// Of lists the operations of a tag, by path and method.
func (d openAPI) Of(tag string) (list []operation) {
	order := []string{"get", "post", "patch", "put", "delete"}
	for path, methods := range d.Paths {
		for method, op := range methods {
			if slices.Contains(op.Tags, tag) {
				op.Method, op.Path = method, path
				list = append(list, op)
			}
		}
	}
	slices.SortFunc(list, func(a, b operation) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return slices.Index(order, a.Method) - slices.Index(order, b.Method)
	})
	return list
}

// Role is who may do it.
func (o operation) Role() string {
	for _, s := range o.Security {
		return strings.Join(s[scheme], ", ")
	}
	return ""
}

// Answers are those other than problems.
func (o operation) Answers() map[string]response {
	answers := maps.Clone(o.Responses)
	maps.DeleteFunc(answers, func(_ string, r response) bool { return isProblem(r) })
	return answers
}

// Problems are the statuses of the problems.
func (o operation) Problems() string {
	var list []string
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		if isProblem(o.Responses[status]) {
			list = append(list, status)
		}
	}
	return strings.Join(list, ", ")
}

func isProblem(r response) bool {
	_, ok := r.Content[problemType]
	return ok
}

// anchor is the name of the schema that another one refers to; empty for none.
func anchor(s schema) string { return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:] }

// typeText tells in a few words what a value looks like.
func typeText(s schema) string {
	text := ""
	switch t := s.Type.(type) {
	case string:
		text = t
	case []any:
		text = strings.Trim(fmt.Sprint(t...), "[]")
	}
	switch {
	case s.Ref != "":
		text = anchor(s)
	case s.Items != nil:
		text = "list of " + typeText(*s.Items)
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, w := range s.Enum {
			words[i] = fmt.Sprint(w)
		}
		text = strings.Join(words, " | ")
	case s.Format != "" && s.Format != "int32" && s.Format != "int64" && s.Format != "double":
		text = s.Format
	}
	if s.Default != nil {
		text += fmt.Sprintf(", default %v", s.Default)
	}
	return text
}

func required(s schema, name string) bool { return slices.Contains(s.Required, name) }

// prose sets what stands between backticks as code.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if part = template.HTMLEscapeString(part); i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}
