package api

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/event"
)

// SelectionQuery is an event.Selection as query parameters, which [selectionParams] describes.
type SelectionQuery struct{ selection event.Selection }

// Resolve implements huma.Resolver.
func (q *SelectionQuery) Resolve(ctx huma.Context) (errs []error) {
	u := ctx.URL()
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "query", Message: "is not written as a query: " + err.Error()}}
	}
	for name := range values {
		if !slices.ContainsFunc(ctx.Operation().Parameters, func(p *huma.Param) bool { return p.Name == name }) {
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "unknown query parameter"})
		}
	}
	sel, faults := event.ParseSelection(values, time.Now())
	q.selection = sel
	for _, f := range located("query", faults) {
		errs = append(errs, &huma.ErrorDetail{Location: f.Location, Message: f.Message})
	}
	return errs
}

// selectionParams are the query parameters of a selection, for the document.
func selectionParams() (list []*huma.Param) {
	text := &huma.Schema{Type: huma.TypeString}
	for _, f := range event.Filters {
		p := &huma.Param{Name: f.Name, In: "query", Description: f.Help, Schema: text}
		if f.IsTime() {
			p.Schema = &huma.Schema{Type: huma.TypeString, Format: "date-time"}
		}
		if f.Example != "" {
			p.Example = f.Example
		}
		if f.Many() {
			explode := true
			p.Explode, p.Schema = &explode, &huma.Schema{Type: huma.TypeArray, Items: text}
			if f.Example != "" {
				p.Example = []string{f.Example}
			}
		}
		list = append(list, p)
		if f.Old != "" {
			list = append(list, &huma.Param{Name: f.Old, In: "query", Description: "The old name of " + f.Name + ".", Schema: p.Schema})
		}
	}
	return list
}

// located says where in a request the faults of its selection are.
func located(place string, faults []event.SelectionFault) []Fault {
	list := make([]Fault, len(faults))
	for i, f := range faults {
		list[i] = Fault{"selection", f.Message}
		if f.Name != "" {
			list[i].Location = place + "." + f.Name
		}
	}
	return list
}

// CheckSelection refuses a selection with faults. The error is a [*Problem].
func CheckSelection(faults []event.SelectionFault) error {
	if len(faults) == 0 {
		return nil
	}
	p := problem(http.StatusUnprocessableEntity, "")
	p.Errors = located("selection", faults)
	p.Detail = p.faults()
	return p
}
