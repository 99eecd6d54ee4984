package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"hooktape/internal/store"
	"hooktape/replay"
)

const problemType = "application/problem+json"

// InternalError is the detail of a problem whose cause is only in the log.
const InternalError = "hooktape could not do that; its log says why"

// Problem is a problem document (RFC 9457), and the error that the API or console answers with.
type Problem struct {
	Title  string  `json:"title" doc:"The kind of problem, the same for every problem of this status." example:"Not Found"`
	Status int     `json:"status" doc:"The HTTP status." example:"404"`
	Detail string  `json:"detail" doc:"What is wrong, as a sentence for people." example:"there is no replay 01a2…"`
	Errors []Fault `json:"errors,omitempty" doc:"Each fault of the request, where it can have several."`
}

// Fault is one thing wrong with a request.
type Fault struct {
	Location string `json:"location" doc:"The place in the request." example:"body.selection.kinds[0]"`
	Message  string `json:"message" doc:"What is wrong there."`
}

// Problemf returns a problem with a formatted detail.
func Problemf(status int, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Invalidf returns a problem with the status 422.
func Invalidf(format string, args ...any) *Problem {
	return Problemf(http.StatusUnprocessableEntity, format, args...)
}

func notFound(what string, id fmt.Stringer) *Problem {
	return Problemf(http.StatusNotFound, "there is no %s %s", what, id)
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

// withFaults sets the faults, and a detail that names the first three.
func (p *Problem) withFaults(faults []Fault) *Problem {
	const most = 3
	p.Errors = faults
	var text []string
	for _, f := range faults[:min(len(faults), most)] {
		text = append(text, strings.TrimPrefix(f.Location+": "+f.Message, ": "))
	}
	if len(faults) > most {
		text = append(text, fmt.Sprintf("and %d more", len(faults)-most))
	}
	p.Detail = strings.Join(text, "; ")
	return p
}

// huma creates its own errors through these variables. Nothing else in the program uses huma.
func init() {
	validation.MsgExpectedRFC4122UUID = "want a whole id: only paths and query parameters take a beginning of one, " +
		"or last (%v)"
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		if status == http.StatusInternalServerError { // msg may contain internals
			return Problemf(status, InternalError)
		}
		var faults []Fault
		for _, err := range errs {
			f := Fault{Message: err.Error()}
			if d, ok := err.(huma.ErrorDetailer); ok {
				f = Fault{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
			}
			// a number that the schema allows and the Go type cannot hold
			if strings.Contains(f.Message, "Go struct field") {
				f.Message = "a value is too large or too small for its place"
			}
			faults = append(faults, f)
		}
		p := Problemf(status, "%s", msg)
		if len(faults) > 0 {
			p.withFaults(faults)
		}
		return p
	}
}

// ProblemOf returns the problem that answers an error. internal reports whether the error itself belongs into the log.
func ProblemOf(err error) (p *Problem, internal bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p, false
	}
	if invalid, ok := errors.AsType[*replay.InvalidError](err); ok {
		return Invalidf("%s", invalid.Text), false
	}
	if expression, ok := errors.AsType[*store.ExpressionError](err); ok {
		p := Invalidf("%s", expression.Error())
		p.Errors = []Fault{{"where", expression.Text}}
		return p, false
	}
	switch {
	case errors.Is(err, replay.ErrNothing):
		return Invalidf("%v", err), false
	case errors.Is(err, store.ErrNotFound):
		return Problemf(http.StatusNotFound, "there is no such thing"), false
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return Problemf(http.StatusServiceUnavailable,
			"ClickHouse does not answer now, or not in time; try again"), true
	case errors.Is(err, context.Canceled):
		return Problemf(http.StatusServiceUnavailable, "hooktape is stopping; try again"), false
	}
	return Problemf(http.StatusInternalServerError, InternalError), true
}
