package api

import (
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// enum lists the values of a domain type, for the document and for huma's validation.
type enum struct {
	of, documented reflect.Type
	values         []any
}

func enumOf[T ~string](list ...T) enum {
	e := enum{of: reflect.TypeFor[T](), documented: reflect.TypeFor[enumSchema[T]]()}
	for _, value := range list {
		e.values = append(e.values, string(value))
	}
	return e
}

var enums = []enum{
	enumOf(event.Kinds...), enumOf(event.Verdicts...), enumOf(event.OrderNone, event.OrderSubscriber),
	enumOf(event.ModeUndelivered, event.ModeAll), enumOf(event.RetryEndpoint, event.RetryNone),
	enumOf(event.ReplayStates...), enumOf(event.WaitingCodes...),
	enumOf(event.DeliveryStates...),
	enumOf(event.Outcomes...),
}

// enumSchema replaces a type of enums in the document.
type enumSchema[T ~string] string

// Schema implements huma.SchemaProvider.
func (enumSchema[T]) Schema(huma.Registry) *huma.Schema {
	i := slices.IndexFunc(enums, func(e enum) bool { return e.of == reflect.TypeFor[T]() })
	return &huma.Schema{Type: huma.TypeString, Enum: enums[i].values}
}

// uuidSchema replaces uuid.UUID in the document.
type uuidSchema uuid.UUID

// Schema implements huma.SchemaProvider.
func (uuidSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// description completes the schema of a type of another package.
type description struct {
	of         reflect.Type
	properties map[string]string  // the text of each property
	required   []string           // replaces the type's own list, unless nil
	maximum    map[string]float64 // of numbers, whose minimum is 0
	more       map[string]*huma.Schema
}

var optionTexts = map[string]string{
	"rate": "The most requests a second; 0 sends as fast as the endpoint answers.",
	"concurrency": "The most requests at the same time (default 4); with 1 the events are sent strictly in " +
		"order of arrival.",
	"order": "none (the default): in order of arrival, without waiting. subscriber: the events of each " +
		"subscriber one after the other.",
	"mode": "undelivered (the default): leaves out events that were delivered to the endpoint or are " +
		"on their way there. all: everything selected.",
	"retry":        "endpoint (the default): as the endpoint's configuration says. none: one attempt.",
	"max_attempts": "The most attempts for each event; 0 takes the endpoint's number.",
	"pace": "Keeps the original time between events, divided by this: 1 is the original pace, 10 ten " +
		"times as fast; 0 ignores it.",
	"stop_after_failures": "Pauses the replay after this many failed attempts in a row; 0 never does.",
	"include_rejected": "Also sends selected events that were rejected, if they are stored as a whole, without " +
		"accepting them. Needs the role admin.",
	"headers": "Added to the event's own headers; they replace those of the same name. Their values are never shown " +
		"again.",
}

// selectionDescription describes the filters of a selection. Answers have the old names beside the new ones.
func selectionDescription(of reflect.Type, filters []event.Filter) description {
	d := description{of: of, properties: map[string]string{}, more: map[string]*huma.Schema{}}
	for _, f := range filters {
		if f.Property() != "" {
			d.properties[f.Property()] = f.Help
		}
		if f.Old != "" {
			d.more[f.Old] = &huma.Schema{Type: huma.TypeString, Format: "date-time",
				Description: "The old name of " + f.Name + "; answers have both."}
		}
	}
	return d
}

func withOptions(properties map[string]string) map[string]string {
	maps.Copy(properties, optionTexts)
	return properties
}

// descriptions returns the descriptions of the types of other packages. A type comes after those that it contains. Each
// server needs its own, because huma changes them.
func descriptions() []description {
	const (
		target    = "The target: the name of a configured endpoint, or a URL with the values of its query masked."
		targetURL = "The URL, with the values of its query masked."
	)
	return []description{
		{
			of:         reflect.TypeFor[event.Header](),
			properties: map[string]string{"name": "Its name.", "value": "Its value, if it is UTF-8."},
			required:   []string{"name"},
			more: map[string]*huma.Schema{"value_base64": {Type: huma.TypeString, ContentEncoding: "base64",
				Description: "Its value in Base64, if it is not UTF-8."}},
		},
		selectionDescription(reflect.TypeFor[event.Selection](), event.Filters),
		selectionDescription(reflect.TypeFor[event.DeliverySelection](), event.DeliveryFilters),
		{
			of: reflect.TypeFor[NewReplay](),
			properties: withOptions(map[string]string{
				"selection": "The events: those that match everything that is set. {} selects every accepted event.",
				"to": "The target: the name of a configured endpoint, or a URL. A URL with a private address needs " +
					"the role admin and " +
					"replay.allow_private in the configuration; hooktape never sends to itself or to its ClickHouse.",
				"again": "A replay to repeat: its events are selected, and selection must be {}. If to is its endpoint, or " +
					"empty, its headers are sent too, unless the request has others. The options are those of the request.",
			}),
			required: []string{"selection", "to"},
			maximum: map[string]float64{"rate": 1e6, "pace": 1e6, "concurrency": 1024, "max_attempts": math.MaxUint16,
				"stop_after_failures": math.MaxUint32},
		},
		{
			of: reflect.TypeFor[event.Replay](),
			properties: withOptions(map[string]string{
				"id":         "Its id.",
				"created_at": "The time of its creation.",
				"updated_at": "The time of the last change of its state or counts.",
				"created_by": "The name of the token that created it.",
				"state":      "Its state.",
				"reason":     "Why it is paused or cancelled.",
				"endpoint":   target,
				"url":        targetURL,
				"parent":     "The replay whose failed deliveries this one sends again; absent for others.",
				"waiting":    "Why it does not go on, or what limits it; absent in a final state.",
				"retries":    "The failed deliveries whose events it sends; absent unless it is a retry. Lists and streams contain at most the first 100 ids.",
				"selection":  "The selection it was created with. Lists and streams contain at most the first 100 ids.",
				"total":      "How many deliveries it has.",
				"counts":     "How many deliveries are in each state, as of updated_at.",
				"per_second": "How many deliveries a second have recently reached their final state.",
			}),
		},
		{
			of: reflect.TypeFor[store.PlanPart](),
			properties: map[string]string{
				"source": "The source.",
				"step":   "The step; empty for none.",
				"day":    "The day of receipt, UTC.",
				"count":  "How many events.",
			},
		},
		{
			of: reflect.TypeFor[Plan](),
			properties: map[string]string{
				"count":        "How many events would be sent.",
				"delivered":    "How many of the selected events were already delivered to the endpoint.",
				"on_their_way": "How many are on their way there: live, or by an unfinished replay.",
				"repeats":      "How many are duplicates sent by BotHelp. They are left out unless selected by id.",
				"bodies_gone": "How many have no body any more, because it is past its retention; they are " +
					"never sent.",
				"forgotten": "How many are older than the retention of deliveries, so it is unknown whether they " +
					"were delivered; " +
					"the mode undelivered leaves them out.",
				"rejected": "How many of those that would be sent were rejected; none without include_rejected.",
				"parts":    "The same by day, source and step.",
				"endpoint": target,
				"url":      targetURL,
				"confirm": "The reasons to ask a person before the replay is created; absent without any. Creating " +
					"it does not check them.",
				"seconds": "How long it takes at the requested rate; 0 without a rate.",
			},
		},
	}
}

// describe completes the schemas of other packages' types. It runs before any route uses them.
func (s *server) describe() {
	registry := s.api.OpenAPI().Components.Schemas
	for _, d := range descriptions() {
		schema := registry.Schema(d.of, false, "")
		for _, name := range slices.Sorted(maps.Keys(d.properties)) {
			property := schema.Properties[name]
			if property == nil {
				panic("api: " + d.of.String() + " has no property " + name)
			}
			property.Description = d.properties[name]
		}
		maps.Copy(schema.Properties, d.more)
		for name, maximum := range d.maximum {
			schema.Properties[name].Minimum = new(float64)
			schema.Properties[name].Maximum = &maximum
		}
		if d.required != nil {
			schema.Required = d.required
		}
		schema.PrecomputeMessages()
	}
}
