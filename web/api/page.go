package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// pagePolicy allows the page its stylesheet and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle []byte

// pageFunctions are the functions of page.html and of the template of docs/API.md.
var pageFunctions = template.FuncMap{
	"operations": operations, "role": roleOf, "answers": answers, "problems": problems, "lower": strings.ToLower,
	"prose": prose, "type": typeText, "anchor": anchor,
	"required": func(s *huma.Schema, name string) bool { return slices.Contains(s.Required, name) },
}

// renderPage returns the document as a page for people.
func renderPage(doc *huma.OpenAPI) ([]byte, error) {
	page, err := template.New("").Funcs(pageFunctions).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, doc)
	return out.Bytes(), err
}

// operations lists the operations of a tag, by path and method.
func operations(doc *huma.OpenAPI, tag string) (list []*huma.Operation) {
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && slices.Contains(op.Tags, tag) {
				list = append(list, op)
			}
		}
	}
	return list
}

// roleOf returns the role that an operation needs.
func roleOf(op *huma.Operation) string { return op.Security[0][scheme][0] }

// answers returns the answers of an operation that are not problems, by status.
func answers(op *huma.Operation) map[string]*huma.Response {
	list := maps.Clone(op.Responses)
	maps.DeleteFunc(list, func(_ string, r *huma.Response) bool { return isProblem(r) })
	return list
}

// problems lists the statuses of an operation's problems.
func problems(op *huma.Operation) string {
	var list []string
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if isProblem(op.Responses[status]) {
			list = append(list, status)
		}
	}
	return strings.Join(list, ", ")
}

func isProblem(r *huma.Response) bool { return r.Content[problemType] != nil }

// anchor returns the name of the schema that s refers to, or "".
func anchor(s *huma.Schema) string { return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:] }

// typeText describes the type of a value in a few words.
func typeText(s *huma.Schema) string {
	text := s.Type
	switch {
	case s.Ref != "":
		text = anchor(s)
	case s.Items != nil:
		text = "list of " + typeText(s.Items)
	case len(s.Enum) > 0:
		values := make([]string, len(s.Enum))
		for i, value := range s.Enum {
			values[i] = fmt.Sprint(value)
		}
		text = strings.Join(values, " | ")
	case s.Format != "" && s.Format != "int32" && s.Format != "int64" && s.Format != "double":
		text = s.Format
	case s.Nullable:
		text += " null"
	}
	if s.Default != nil {
		text += fmt.Sprintf(", default %v", s.Default)
	}
	return text
}

// prose escapes a text and sets words between backticks as code.
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
