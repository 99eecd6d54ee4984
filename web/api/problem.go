package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/store"
	"hooktape/replay"
)

// Problem is an error as the API answers it: RFC 9457.
type Problem struct {
	Title  string  `json:"title" doc:"What kind of problem it is, the same for all of this status." example:"Not Found"`
	Status int     `json:"status" doc:"The HTTP status." example:"404"`
	Detail string  `json:"detail" doc:"What is wrong, in a sentence for a person." example:"there is no replay 01a2…"`
	Errors []Fault `json:"errors,omitempty" doc:"The single faults of a request, where there may be several."`
}

// Fault is one thing wrong with a request.
type Fault struct {
	Location string `json:"location" doc:"Where in the request it is." example:"body.selection.kinds[0]"`
	Message  string `json:"message" doc:"What is wrong there."`
}

// Error is the sentence.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

func problem(status int, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// The library makes its own errors by this variable, which only this package uses.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		p := problem(status, "%s", msg)
		if status == http.StatusInternalServerError { // msg may be of anything
			p.Detail = "hooktape could not do that; its log says why"
			return p
		}
		for _, err := range errs {
			f := Fault{Message: err.Error()}
			if d, ok := err.(huma.ErrorDetailer); ok {
				f = Fault{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
			}
			if strings.Contains(f.Message, "Go struct field") { // what the schema lets through and a number's size does not
				f.Message = "a value is too large or too small for its place"
			}
			p.Errors = append(p.Errors, f)
		}
		if len(p.Errors) > 0 {
			p.Detail = p.faults()
		}
		return p
	}
}

// faults tells the first few in one sentence.
func (p *Problem) faults() string {
	const most = 3
	var text []string
	for i, f := range p.Errors {
		if i == most {
			text = append(text, fmt.Sprintf("and %d more", len(p.Errors)-most))
			break
		}
		text = append(text, strings.TrimPrefix(f.Location+": "+f.Message, ": "))
	}
	return strings.Join(text, "; ")
}

// ProblemOf finds the answer to an error. Of an internal one, whoever looks after the server wants to know the error itself.
func ProblemOf(err error) (p *Problem, internal bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p, false
	}
	if invalid, ok := errors.AsType[*replay.InvalidError](err); ok {
		return problem(http.StatusUnprocessableEntity, "%s", invalid.Text), false
	}
	if expression, ok := errors.AsType[*store.ExpressionError](err); ok {
		p := problem(http.StatusUnprocessableEntity, "%s", expression.Error())
		p.Errors = []Fault{{"where", expression.Text}}
		return p, false
	}
	switch {
	case errors.Is(err, replay.ErrNothing):
		return problem(http.StatusUnprocessableEntity, "%v", err), false
	case errors.Is(err, store.ErrNotFound):
		return problem(http.StatusNotFound, "there is no such thing"), false
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return problem(http.StatusServiceUnavailable, "ClickHouse does not answer now, or not in time; try again"), true
	case errors.Is(err, context.Canceled):
		return problem(http.StatusServiceUnavailable, "hooktape is stopping; try again"), false
	}
	return problem(http.StatusInternalServerError, "hooktape could not do that; its log says why"), true
}

func notFound(what string, id fmt.Stringer) *Problem {
	return problem(http.StatusNotFound, "there is no %s %s", what, id)
}
