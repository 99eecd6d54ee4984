package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const scheme = "token" // the name of the security scheme in the document

// operation completes what the document and the library must know of a route.
func (s *server) operation(role Role, op huma.Operation) huma.Operation {
	op.Path = "/api/v1" + op.Path
	op.Security = []map[string][]string{{scheme: {string(role)}}}
	// A filter with a typing error would select everything. Those of a selection are checked as it is read.
	op.RejectUnknownQueryParameters = op.Parameters == nil
	op.Middlewares = append(huma.Middlewares{s.admit(role)}, op.Middlewares...)
	op.Errors = append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable}, op.Errors...)
	if op.Method == http.MethodPost || op.Method == http.MethodPatch {
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxSmallBytes
	}
	return op
}

// route serves one operation to those who have a role.
func route[I, O any](s *server, role Role, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op = s.operation(role, op)
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

// problem turns an error into its answer, and logs what is not for the caller.
func (s *server) problem(ctx context.Context, operation string, err error) error {
	p, internal := ProblemOf(err)
	if internal && !errors.Is(ctx.Err(), context.Canceled) {
		s.logger.Error("the API could not answer", "operation", operation, "error", err)
	}
	if p.Status == http.StatusServiceUnavailable {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {retryAfter}})
	}
	return p
}

const retryAfter = "5" // seconds

type callerKey struct{}

// as answers the caller, who is set on every route.
func (s *server) as(ctx context.Context) *Direct {
	d, _ := ctx.Value(callerKey{}).(*Direct)
	return d
}

// admit lets the bearers of a role in. Neither the answer nor anything else says what was in a wrong token.
func (s *server) admit(role Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		addr := remoteAddr(ctx)
		kind, secret, _ := strings.Cut(ctx.Header("Authorization"), " ")
		found, ok := s.keys.Find(strings.TrimSpace(secret))
		ok = ok && strings.EqualFold(kind, "Bearer")
		var refused *Problem
		switch {
		case kind != "" && !s.guard.Open(addr):
			ctx.SetHeader("Retry-After", TryAgainAfter)
			s.refuse(ctx, problem(http.StatusTooManyRequests, "too many wrong tokens came from your address; try again in %s seconds", TryAgainAfter))
		case !ok:
			if kind != "" {
				s.guard.Fail(DoorAPI, addr)
			}
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="hooktape"`)
			text := "this needs a token of api.tokens in the configuration: Authorization: Bearer TOKEN"
			if secret != "" {
				text = "this token is none of api.tokens in the configuration of this hooktape"
			}
			if len(s.keys) == 0 {
				text = "the configuration has no api.tokens, so that nobody is let in"
			}
			s.refuse(ctx, problem(http.StatusUnauthorized, "%s", text))
		case errors.As(found.Need(role), &refused):
			s.refuse(ctx, refused)
		default:
			next(huma.WithValue(ctx, callerKey{}, s.direct.As(found, addr)))
		}
	}
}

func remoteAddr(ctx huma.Context) netip.Addr {
	addr, _ := netip.ParseAddrPort(ctx.RemoteAddr())
	return addr.Addr().Unmap()
}

func (s *server) refuse(ctx huma.Context, p *Problem) {
	if p.Status == http.StatusServiceUnavailable {
		ctx.SetHeader("Retry-After", retryAfter)
	}
	_ = huma.WriteErr(s.api, ctx, p.Status, p.Detail) // who has gone needs no answer
}
