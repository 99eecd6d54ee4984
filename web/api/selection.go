package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/event"
	"hooktape/replay"
)

// selected returns a selection as the database knows it. It refuses a selection that is invalid or not permitted, or
// that names an unknown endpoint.
func (d *Direct) selected(ctx context.Context, sel event.Selection) (event.Selection, error) {
	if err := d.checkSelection(sel); err != nil {
		return sel, err
	}
	sel = withNames(sel)
	return sel, d.service.CheckEndpoints(ctx, sel.Endpoints()...)
}

// checkSelection refuses an invalid selection, and an expression unless the principal is an admin.
func (d *Direct) checkSelection(sel event.Selection) error {
	if sel.Where != "" && d.require(RoleAdmin) != nil {
		return Problemf(http.StatusForbidden, "where needs the role %s; the token %q has the role %s",
			RoleAdmin, d.principal.Name, d.principal.Role)
	}
	return CheckSelection(sel.Faults())
}

// CheckSelection returns a [*Problem] with the faults of a selection, or nil without faults.
func CheckSelection(faults []event.SelectionFault) error { return checkAt("selection", faults) }

func checkAt(place string, faults []event.SelectionFault) error {
	if len(faults) == 0 {
		return nil
	}
	return Invalidf("").withFaults(located(place, faults))
}

// located adds to the faults of a selection their place in the request.
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

// withNames replaces the URLs of endpoints in a selection by the names that deliveries have.
func withNames(sel event.Selection) event.Selection {
	return sel.WithEndpoints(replay.TargetName)
}

// shortened returns a replay with the first 100 ids of its selections: a stream would repeat all of them every second.
func shortened(r event.Replay) event.Replay {
	const most = 100
	r.Selection.IDs = r.Selection.IDs[:min(len(r.Selection.IDs), most)]
	if r.Retries != nil {
		retries := *r.Retries
		retries.IDs = retries.IDs[:min(len(retries.IDs), most)]
		retries.Events = retries.Events[:min(len(retries.Events), most)]
		r.Retries = &retries
	}
	return r
}

// filterQuery has the query parameters that [selectionParams] describes.
type filterQuery struct{ values url.Values }

// Resolve implements huma.Resolver. It returns an error for each parameter that the operation does not have: a misspelt
// filter would select everything.
func (q *filterQuery) Resolve(ctx huma.Context) (errs []error) {
	u := ctx.URL()
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "query", Message: "invalid query: " + err.Error()}}
	}
	for name := range values {
		if !slices.ContainsFunc(ctx.Operation().Parameters, func(p *huma.Param) bool { return p.Name == name }) {
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "unknown query parameter"})
		}
	}
	q.values = values
	return errs
}

// SelectionQuery reads a selection of events. It is exported because huma reads embedded parameters of exported types
// only.
type SelectionQuery struct{ filterQuery }

func (q *SelectionQuery) selection(ctx context.Context, d *Direct) (event.Selection, error) {
	return selectionOf(ctx, d, event.Filters, q.values, event.ParseSelection)
}

// DeliverySelectionQuery reads a selection of deliveries.
type DeliverySelectionQuery struct{ filterQuery }

func (q *DeliverySelectionQuery) selection(ctx context.Context, d *Direct) (event.DeliverySelection, error) {
	return selectionOf(ctx, d, event.DeliveryFilters, q.values, event.ParseDeliverySelection)
}

// selectionOf parses a selection from query parameters, whose ids need not be whole.
func selectionOf[S any](ctx context.Context, d *Direct, filters []event.Filter, values url.Values,
	parse func(url.Values, time.Time) (S, []event.SelectionFault)) (sel S, err error) {
	faults, err := WholeIDs(ctx, filters, values, d.WholeID)
	if err != nil {
		return sel, err
	}
	if len(faults) == 0 {
		sel, faults = parse(values, time.Now())
	}
	return sel, checkAt("query", faults)
}

// selectionParams describes the query parameters of filters.
func selectionParams(filters []event.Filter) (list []*huma.Param) {
	text := &huma.Schema{Type: huma.TypeString}
	for _, f := range filters {
		p := &huma.Param{Name: f.Name, In: "query", Description: f.LongHelp(), Schema: text}
		if f.IsTime() {
			p.Schema = &huma.Schema{Type: huma.TypeString, Format: "date-time"}
		}
		if f.Example != "" {
			p.Example = f.Example
		}
		if f.IsFlag() {
			p.Schema, p.Example = &huma.Schema{Type: huma.TypeBoolean}, true
		}
		if f.Many() {
			p.Explode = new(true)
			p.Schema = &huma.Schema{Type: huma.TypeArray, Items: text}
			if f.Example != "" {
				p.Example = []string{f.Example}
			}
		}
		list = append(list, p)
		if f.Old != "" {
			list = append(list, &huma.Param{Name: f.Old, In: "query", Schema: p.Schema,
				Description: "The old name of " + f.Name + "."})
		}
	}
	return list
}
