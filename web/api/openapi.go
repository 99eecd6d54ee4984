package api

import (
	"maps"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

func init() { huma.DefaultArrayNullable = false } // an empty list is [], never null

// configuration is the library's, with nothing in it that we have not asked for: JSON alone, no pages that load from
// elsewhere, no links added to answers.
func configuration(version string) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[uuidWord]())
	for _, e := range enums {
		registry.RegisterTypeAlias(e.of, e.documented)
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "hooktape", Version: version,
				Description: "Look at what BotHelp sent, and send any of it again. Every request needs a token of the configuration (`api.tokens`) as `Authorization: Bearer TOKEN`. Its role is `read`, `replay` (may also make and steer replays, and pause endpoints) or `admin` (may also use `where`, and read the audit log). Errors are RFC 9457 problems."},
			Tags: []*huma.Tag{
				{Name: "Events", Description: "What arrived."},
				{Name: "Replays", Description: "Sending a selection of events again."},
				{Name: "Endpoints", Description: "Where events are delivered to."},
				{Name: "Audit", Description: "Who has changed what."},
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
				scheme: {Type: "http", Scheme: "bearer", Description: "A token of api.tokens in the configuration."}}},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
}

// describe makes the schemas of the domain's types, which know nothing of this document, before any route uses them.
func (s *server) describe() {
	registry := s.api.OpenAPI().Components.Schemas
	for _, d := range described() {
		schema := registry.Schema(d.of, false, "")
		for _, name := range slices.Sorted(maps.Keys(d.words)) {
			property := schema.Properties[name]
			if property == nil {
				panic("api: " + d.of.String() + " has no property " + name)
			}
			property.Description = d.words[name]
		}
		maps.Copy(schema.Properties, d.more)
		for name, most := range d.most {
			schema.Properties[name].Minimum, schema.Properties[name].Maximum = new(float64), &most
		}
		if d.required != nil {
			schema.Required = d.required
		}
		schema.PrecomputeMessages()
	}
}

// asked are the schemas of requests, in which a property that is not known is a mistake. Answers may have more than the
// document says: a later version adds to them.
var asked = []string{"EventSearch", "Header", "NewReplay", "ReplayPatch", "Selection"}

// documentation serves the document, and a page of it.
func documentation(mux *http.ServeMux, doc *huma.OpenAPI) error {
	for name, schema := range doc.Components.Schemas.Map() {
		if !slices.Contains(asked, name) && schema.AdditionalProperties == false {
			schema.AdditionalProperties = nil
		}
	}
	text, err := doc.MarshalJSON()
	if err != nil {
		return err
	}
	page, err := renderPage(text)
	if err != nil {
		return err
	}
	mux.HandleFunc("GET /openapi.json", static("application/openapi+json; charset=utf-8", text))
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		static("text/html; charset=utf-8", page)(w, r)
	})
	mux.HandleFunc("GET /docs/style.css", static("text/css; charset=utf-8", pageStyle))
	return nil
}

func static(contentType string, text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(text)
	}
}
