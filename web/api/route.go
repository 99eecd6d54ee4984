package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const (
	scheme     = "token" // the name of the security scheme in the document
	retryAfter = "5"     // seconds
)

// tags maps the first element of a path to the tag of its operations.
var tags = map[string]string{"events": "Events", "deliveries": "Deliveries", "replays": "Replays",
	"endpoints": "Endpoints", "audit-log": "Audit", "views": "Views", "analytics": "Analytics",
	"login-links": "Console", "ids": "Events", "retention": "Storage", "storage": "Storage"}

// operation completes an operation with what all have in common: role, problems and limits. pattern is its method and
// its path below /api/v1, such as "GET /events".
func (s *server) operation(role Role, pattern string, op huma.Operation) huma.Operation {
	method, path, _ := strings.Cut(pattern, " ")
	op.Method, op.Path = method, "/api/v1"+path
	op.Tags = []string{tags[strings.Split(path, "/")[1]]}
	op.Security = []map[string][]string{{scheme: {string(role)}}}
	// A misspelt filter would select everything. Those of a selection are checked when it is parsed.
	op.RejectUnknownQueryParameters = op.Parameters == nil
	op.Middlewares = append(huma.Middlewares{s.authorize(role)}, op.Middlewares...)
	op.Errors = append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests, http.StatusServiceUnavailable}, op.Errors...)
	if op.Method == http.MethodPost || op.Method == http.MethodPatch || op.Method == http.MethodPut {
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestTimeout,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxSmallBytes
	}
	return op
}

// route registers an operation for principals with a role.
func route[I, O any](s *server, role Role, pattern string, op huma.Operation,
	handle func(context.Context, *I) (*O, error)) {
	op = s.operation(role, pattern, op)
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, op.OperationID, err)
		}
		return out, nil
	})
}

// reply registers an operation that answers with the JSON of what handle returns.
func reply[I, O any](s *server, role Role, pattern string, op huma.Operation,
	handle func(context.Context, *I) (O, error)) {
	route(s, role, pattern, op, func(ctx context.Context, in *I) (*struct{ Body O }, error) {
		out, err := handle(ctx, in)
		return &struct{ Body O }{out}, err
	})
}

// problemOf returns the problem that answers an error, and logs an internal error.
func (s *server) problemOf(ctx context.Context, operation string, err error) *Problem {
	p, internal := ProblemOf(err)
	if internal && !errors.Is(ctx.Err(), context.Canceled) {
		s.logger.Error("the API could not answer", "operation", operation, "error", err)
	}
	return p
}

// problem is problemOf with the headers of the answer.
func (s *server) problem(ctx context.Context, operation string, err error) error {
	p := s.problemOf(ctx, operation, err)
	if p.Status == http.StatusServiceUnavailable {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {retryAfter}})
	}
	return p
}

// refuse answers with a problem before an operation has begun.
func (s *server) refuse(ctx huma.Context, p *Problem) {
	if p.Status == http.StatusServiceUnavailable {
		ctx.SetHeader("Retry-After", retryAfter)
	}
	_ = huma.WriteErr(s.api, ctx, p.Status, p.Detail) // fails when the client is gone
}

type callerKey struct{}

// as returns the Direct that acts for the caller, which authorize has put into the context.
func (s *server) as(ctx context.Context) *Direct {
	d, _ := ctx.Value(callerKey{}).(*Direct)
	return d
}

// authorize admits principals with a role. The answer never repeats any part of a wrong token.
func (s *server) authorize(role Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		addr := remoteAddr(ctx)
		kind, secret, _ := strings.Cut(ctx.Header("Authorization"), " ")
		if kind != "" && !s.guard.Open(addr) {
			ctx.SetHeader("Retry-After", RetryAfterWrong)
			s.refuse(ctx, Problemf(http.StatusTooManyRequests,
				"too many wrong tokens came from your address; try again in %s seconds", RetryAfterWrong))
			return
		}
		principal, ok := s.keys.Find(strings.TrimSpace(secret))
		if !ok || !strings.EqualFold(kind, "Bearer") {
			if kind != "" {
				s.guard.Fail(AtAPI, addr)
			}
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="hooktape"`)
			s.refuse(ctx, s.unauthorized(secret))
			return
		}
		if refused, ok := errors.AsType[*Problem](principal.Require(role)); ok {
			s.refuse(ctx, refused)
			return
		}
		next(huma.WithValue(ctx, callerKey{}, s.direct.As(principal, addr)))
	}
}

func (s *server) unauthorized(secret string) *Problem {
	text := "this needs a token of api.tokens in the configuration: Authorization: Bearer TOKEN"
	switch {
	case len(s.keys) == 0:
		text = "the configuration has no api.tokens, so every request is rejected"
	case secret != "":
		text = "this token is not in api.tokens of this hooktape's configuration"
	}
	return Problemf(http.StatusUnauthorized, "%s", text)
}

func remoteAddr(ctx huma.Context) netip.Addr {
	addr, _ := netip.ParseAddrPort(ctx.RemoteAddr())
	return addr.Addr().Unmap()
}
