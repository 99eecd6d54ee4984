package api

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

func init() { huma.DefaultArrayNullable = false } // an empty list is [], never null

// configuration configures huma with JSON alone: no pages that load from other hosts, no links added to answers.
func configuration(version string) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[uuidSchema]())
	for _, e := range enums {
		registry.RegisterTypeAlias(e.of, e.documented)
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "hooktape", Version: version,
				Description: "Read what BotHelp sent, and send any of it again. Every request needs a token of the " +
					"configuration (`api.tokens`) as `Authorization: Bearer TOKEN`. Its role is `read`, `replay` " +
					"(also creates and controls replays, and pauses endpoints) or `admin` (also uses `where`, and " +
					"reads the audit log). Errors are problem documents (RFC 9457)."},
			Tags: []*huma.Tag{
				{Name: "Events", Description: "Requests that arrived."},
				{Name: "Deliveries", Description: "The delivery of an event to an endpoint, live or in a replay."},
				{Name: "Replays", Description: "Sending a selection of events again."},
				{Name: "Endpoints", Description: "Receivers of events."},
				{Name: "Views", Description: "Named filters of the list of events, for everybody."},
				{Name: "Analytics", Description: "Leads, conversions and where they come from."},
				{Name: "Console", Description: "Logging in to the console."},
				{Name: "Storage", Description: "What is kept, how long, and the space it takes."},
				{Name: "Audit", Description: "Who changed what."},
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
				scheme: {Type: "http", Scheme: "bearer", Description: "A token of api.tokens in the configuration."}}},
		},
		Formats: map[string]huma.Format{"application/json": huma.DefaultJSONFormat,
			"json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
}

// requestSchemas are the schemas of requests, in which an unknown property is an error. Answers may have properties
// that the document does not list, because later versions add some.
var requestSchemas = []string{"AcceptRequest", "DeliveryRetry", "DeliverySelection", "EventSearch", "Header",
	"NewLoginLink", "NewReplay", "NewView", "ReplayPatch", "Selection"}

// serveDocument serves the document, and a page of it.
func serveDocument(mux *http.ServeMux, doc *huma.OpenAPI) error {
	for name, schema := range doc.Components.Schemas.Map() {
		if !slices.Contains(requestSchemas, name) && schema.AdditionalProperties == false {
			schema.AdditionalProperties = nil
		}
	}
	text, err := doc.MarshalJSON()
	if err != nil {
		return err
	}
	page, err := renderPage(doc)
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
