package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checker is a transport that compares every answer of the API with the document.
type checker struct {
	t         *testing.T
	document  map[string]any
	compiler  *jsonschema.Compiler
	compiling sync.Mutex // the compiler is not safe for concurrent use, requests are
}

const documentURL = "http://hooktape.test/openapi.json"

func newChecker(t *testing.T, handler http.Handler) *checker {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	c := &checker{t: t, compiler: jsonschema.NewCompiler()}
	document, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatalf("the document: %v", err)
	}
	c.document = document.(map[string]any)
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(documentURL, document); err != nil {
		t.Fatal(err)
	}
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *checker) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/api/v1/") {
		return response, err
	}
	template, operation := c.operation(r.Method, r.URL.Path)
	if operation == nil {
		return response, nil // answered with 404 or 405, which the test itself checks
	}
	kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	at := []string{"paths", template, strings.ToLower(r.Method), "responses", fmt.Sprint(response.StatusCode),
		"content", kind}
	media, ok := dig(c.document, at...).(map[string]any)
	if !ok {
		c.t.Errorf("%s %s: got %d %s, which is not in the document", r.Method, r.URL.Path, response.StatusCode, kind)
		return response, nil
	}
	if kind != "application/json" && !strings.HasSuffix(kind, "+json") || media["schema"] == nil {
		return response, nil
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return response, err
	}
	if err := c.validate(append(at, "schema"), body); err != nil {
		c.t.Errorf("%s %s: the answer does not conform to the document: %v\n%.2000s", r.Method, r.URL.Path, err, body)
	}
	return response, nil
}

func (c *checker) validate(at []string, body []byte) error {
	pointer := ""
	for _, step := range at {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(step)
	}
	c.compiling.Lock()
	schema, err := c.compiler.Compile(documentURL + "#" + pointer)
	c.compiling.Unlock()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// operation returns the template and the operation of the document for a request.
func (c *checker) operation(method, path string) (template string, operation any) {
	parts := strings.Split(path, "/")
	paths, _ := c.document["paths"].(map[string]any)
	for template := range paths {
		steps := strings.Split(template, "/")
		fits := len(steps) == len(parts)
		for i := range steps {
			fits = fits && (steps[i] == parts[i] || strings.HasPrefix(steps[i], "{") &&
				!fixed(paths, steps[:i], parts[i], steps[i+1:]))
		}
		if fits {
			if operation := dig(c.document, "paths", template, strings.ToLower(method)); operation != nil {
				return template, operation
			}
		}
	}
	return "", nil
}

// fixed reports whether another template has a word where this one has a parameter.
func fixed(paths map[string]any, before []string, word string, after []string) bool {
	steps := append(append(append([]string{}, before...), word), after...)
	return paths[strings.Join(steps, "/")] != nil
}

func dig(value any, steps ...string) any {
	for _, step := range steps {
		m, _ := value.(map[string]any)
		value = m[step]
	}
	return value
}

// TestDocument verifies that the document has exactly the routes of the API, with their roles and problems, and a
// description for everything.
func TestDocument(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var document map[string]any
	f.get("", "/openapi.json", &document)
	if document["openapi"] != "3.1.0" {
		t.Errorf("got OpenAPI version %v", document["openapi"])
	}
	roles := map[string]string{
		"get /events": "read", "post /events/search": "read", "get /events/{id}": "read",
		"get /events/{id}/raw": "read", "get /deliveries": "read", "get /deliveries/groups": "read",
		"post /deliveries/retry": "replay", "get /deliveries/{id}": "read", "get /replays/{id}/deliveries": "read",
		"get /events/{id}/deliveries": "read", "get /endpoints": "read", "post /endpoints/{name}/pause": "replay",
		"post /endpoints/{name}/resume": "replay", "post /replays": "replay", "get /replays": "read",
		"get /replays/{id}": "read", "patch /replays/{id}": "replay", "post /replays/{id}/cancel": "replay",
		"get /replays/{id}/stream": "read", "get /replays/{id}/diff": "read", "get /audit-log": "admin",
		"post /events/accept": "admin", "get /views": "read", "put /views/{name}": "replay",
		"delete /views/{name}": "replay", "get /analytics": "read", "get /analytics/{panel}": "read",
		"post /login-links": "admin", "get /retention": "admin", "get /ids/{kind}/{id}": "read", "get /storage": "admin",
	}
	found := 0
	for path, methods := range document["paths"].(map[string]any) {
		for method, operation := range methods.(map[string]any) {
			found++
			name := method + " " + strings.TrimPrefix(path, "/api/v1")
			security, _ := json.Marshal(dig(operation, "security"))
			if want := fmt.Sprintf(`[{"token":[%q]}]`, roles[name]); string(security) != want {
				t.Errorf("%s needs %s, want %s", name, security, want)
			}
			for _, status := range []string{"401", "403", "422", "429", "500", "503"} {
				if dig(operation, "responses", status, "content", "application/problem+json") == nil {
					t.Errorf("%s has no problem %s", name, status)
				}
			}
			explained(t, name, operation)
			parameters, _ := dig(operation, "parameters").([]any)
			for _, p := range parameters {
				explained(t, fmt.Sprintf("%s %v", name, dig(p, "name")), p)
			}
		}
	}
	if found != len(roles) {
		t.Errorf("%d operations in the document, want %d", found, len(roles))
	}
	for name, schema := range dig(document, "components", "schemas").(map[string]any) {
		properties, _ := dig(schema, "properties").(map[string]any)
		for property, s := range properties {
			explained(t, name+"."+property, s)
		}
	}
}

func explained(t *testing.T, what string, v any) {
	t.Helper()
	if text, _ := dig(v, "description").(string); text == "" {
		t.Errorf("%s has no description", what)
	}
}

// TestPage verifies that the page shows every operation and schema, and loads nothing from other hosts.
func TestPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.ask("", "GET", "/docs", nil)
	page := string(a.body)
	for _, text := range []string{"/api/v1/replays/{id}/stream", "/api/v1/events/search", `id="NewReplay"`,
		"Idempotency-Key", "undelivered | all", "role admin", `<td class="type"><a href="#Event">`} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not contain %s", text)
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); policy != "default-src 'none'; style-src 'self'; base-uri "+
		"'none'; form-action 'none'; frame-ancestors 'none'" {
		t.Errorf("got the policy %q", policy)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "://") {
		t.Error("the page has a script or a link to elsewhere")
	}
	if style := f.ask("", "GET", "/docs/style.css", nil); style.status != 200 ||
		style.header.Get("Content-Type") != "text/css; charset=utf-8" ||
		bytes.Contains(style.body, []byte("url(")) ||
		!bytes.Contains(style.body, []byte("prefers-color-scheme: dark")) {
		t.Errorf("the stylesheet: %d %v", style.status, style.header)
	}
}
