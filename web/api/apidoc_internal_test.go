package api

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"
	"text/template"
)

var update = flag.Bool("update", false, "write docs/API.md")

const apiDocument = "../../docs/API.md"

// TestAPIDocument verifies that docs/API.md has the content of the OpenAPI document, which other tests compare with
// every answer.
//
// go test ./web/api -run APIDocument -update    updates it
func TestAPIDocument(t *testing.T) {
	s, err := newServer(Options{Version: "of this checkout"}, http.NewServeMux())
	if err != nil {
		t.Fatal(err)
	}
	cell := func(text string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text) }
	page := template.Must(template.New("").Funcs(template.FuncMap(pageFunctions)).Funcs(template.FuncMap{"cell": cell}).Parse(apiPage))
	var want bytes.Buffer
	if err := page.Execute(&want, s.api.OpenAPI()); err != nil {
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

Generated from the OpenAPI 3.1 document, which a running hooktape serves at ` + "`/openapi.json`" + ` and, as a page, at ` + "`/docs`" + `.

{{.Info.Description}}
{{range .Tags}}{{$of := operations $ .Name}}{{if $of}}
## {{.Name}}

{{.Description}}
{{range $of}}
### {{.Summary}}

    {{.Method}} {{.Path}}        role {{role .}}
{{with .Description}}
{{.}}
{{end}}{{if .Parameters}}
| parameter | in | type | meaning |
|---|---|---|---|
{{range .Parameters}}| ` + "`{{.Name}}`" + `{{if .Required}} (required){{end}} | {{.In}} | {{cell (type .Schema)}} | {{cell .Description}} |
{{end}}{{end}}{{with .RequestBody}}
Body: {{range $type, $m := .Content}}{{type $m.Schema}}, as {{$type}}. {{end}}
{{end}}
Answers: {{range $status, $r := answers .}}{{$status}}{{range $type, $m := $r.Content}}{{with type $m.Schema}} {{.}}{{end}} ({{$type}}){{end}}; {{end}}Problem with {{problems .}}.
{{end}}{{end}}{{end}}
## Schemas

Required properties are required in requests and always present in answers.
{{range $name, $s := .Components.Schemas.Map}}
### {{$name}}

| property | type | meaning |
|---|---|---|
{{range $property, $p := $s.Properties}}| ` + "`{{$property}}`" + `{{if required $s $property}} (required){{end}} | {{cell (type $p)}} | {{cell $p.Description}} |
{{end}}{{end}}`
