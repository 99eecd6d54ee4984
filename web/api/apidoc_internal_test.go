package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"text/template"
)

var update = flag.Bool("update", false, "write docs/API.md anew")

const apiDocument = "../../docs/API.md"

// TestAPIDocument: docs/API.md says what the document for programs says, which the other tests hold every answer against.
//
//	go test ./web/api -run APIDocument -update    writes it anew
func TestAPIDocument(t *testing.T) {
	handler, err := New(Options{Version: "of this checkout"})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/openapi.json", nil))
	var doc openAPI
	if err := json.Unmarshal(answer.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	cell := func(text string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text) }
	page := template.Must(template.New("").Funcs(template.FuncMap{"cell": cell, "type": func(s schema) string { return cell(typeText(s)) },
		"required": required, "upper": strings.ToUpper}).Parse(apiPage))
	var want bytes.Buffer
	if err := page.Execute(&want, doc); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(apiDocument, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(apiDocument); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is out of date (%v); go test ./web/api -run APIDocument -update", apiDocument, err)
	}
}

const apiPage = `# API

Made of the program's own description, which a running hooktape has at ` + "`/openapi.json`" + ` (OpenAPI 3.1) and, as a page, at ` + "`/docs`" + `.

{{.Info.Description}}
{{range .Tags}}{{$of := $.Of .Name}}{{if $of}}
## {{.Name}}

{{.Description}}
{{range $of}}
### {{.Summary}}

    {{upper .Method}} {{.Path}}        role {{.Role}}
{{with .Description}}
{{.}}
{{end}}{{if .Parameters}}
| parameter | in | type | what it is |
|---|---|---|---|
{{range .Parameters}}| ` + "`{{.Name}}`" + `{{if .Required}} (required){{end}} | {{.In}} | {{type .Schema}} | {{cell .Description}} |
{{end}}{{end}}{{with .RequestBody}}
Body: {{range $type, $m := .Content}}{{type $m.Schema}}, as {{$type}}. {{end}}
{{end}}
Answers: {{range $status, $r := .Answers}}{{$status}}{{range $type, $m := $r.Content}}{{with type $m.Schema}} {{.}}{{end}} ({{$type}}){{end}}; {{end}}Problem with {{.Problems}}.
{{end}}{{end}}{{end}}
## Schemas

What is required is always there; in a request, it must be.
{{range $name, $s := .Components.Schemas}}
### {{$name}}

| property | type | what it is |
|---|---|---|
{{range $property, $p := $s.Properties}}| ` + "`{{$property}}`" + `{{if required $s $property}} (required){{end}} | {{type $p}} | {{cell $p.Description}} |
{{end}}{{end}}`
