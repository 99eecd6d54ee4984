package api

import (
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
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

// description completes the schema of a type of another package by what its tags cannot say.
type description struct {
	of         reflect.Type
	properties map[string]string  // the text of each property
	required   []string           // replaces the type's own list, unless nil
	maximum    map[string]float64 // of numbers, whose minimum is 0
	more       map[string]*huma.Schema
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

// descriptions returns the descriptions of the types of other packages. A type comes after those that it contains. Each
// server needs its own, because huma changes them.
func descriptions() []description {
	return []description{
		{
			of:       reflect.TypeFor[event.Header](),
			required: []string{"name"},
			more: map[string]*huma.Schema{"value_base64": {Type: huma.TypeString, ContentEncoding: "base64",
				Description: "Its value in Base64, if it is not UTF-8."}},
		},
		selectionDescription(reflect.TypeFor[event.Selection](), event.Filters),
		selectionDescription(reflect.TypeFor[event.DeliverySelection](), event.DeliveryFilters),
		{
			of:       reflect.TypeFor[NewReplay](),
			required: []string{"selection", "to"},
			properties: map[string]string{"again": "A replay to repeat: its events are selected, and selection must " +
				"be {}. If to is its endpoint, or empty, its headers are sent too, unless the request has others. " +
				"The options are those of the request."},
			maximum: map[string]float64{"rate": 1e6, "pace": 1e6, "concurrency": 1024, "max_attempts": math.MaxUint16,
				"stop_after_failures": math.MaxUint32},
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
