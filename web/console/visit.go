package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"hooktape/web/api"
)

// visit is a request by a logged-in user.
type visit struct {
	*console
	*http.Request
	w      http.ResponseWriter
	user   api.Principal
	direct *api.Direct // acts for the user
	zone   *time.Location
	now    time.Time
}

// page returns a handler for logged-in users, which redirects others to the login. [api.Direct] checks the user's role.
func (c *console) page(handle func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		// fails for a test's writer
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTimeout + 10*time.Second))
		user, ok := c.session(r)
		if !ok {
			redirectToLogin(w, r)
			return
		}
		v := &visit{console: c, Request: r.WithContext(ctx), w: w, user: user, direct: c.Direct.As(user, remoteOf(r)),
			zone: zoneOf(r), now: time.Now()}
		_, err := url.ParseQuery(r.URL.RawQuery) // a filter that is left out would select everything
		if err != nil {
			err = api.Invalidf("invalid query in the address: %v", err)
		}
		if err == nil && r.Method == http.MethodPost {
			err = v.readForm()
		}
		if err == nil {
			err = handle(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// readForm reads the form within formTimeout. It then lifts the deadline, because the action may take longer and
// net/http would cancel the request at the deadline.
func (v *visit) readForm() error {
	v.Body = http.MaxBytesReader(v.w, v.Body, maxFormBytes)
	if err := v.ParseForm(); err != nil {
		return api.Problemf(http.StatusBadRequest, "the form could not be read; send it again")
	}
	_ = http.NewResponseController(v.w).SetReadDeadline(time.Time{})
	return nil
}

func remoteOf(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr().Unmap()
}

// partial reports whether htmx asks for a part of a page.
func (v *visit) partial() bool { return v.Header.Get("HX-Request") != "" }

// frame is the data of the layout around a page's content.
type frame struct {
	Title   string
	Section string // the current entry of the navigation
	User    api.Principal
	Zone    string
	Now     int64 // the server's clock in milliseconds
	Version string
	Here    string // of a page that answers a form: the page with the form
	Content any
	visit   *visit
}

// At returns a time as the user sees it.
func (f frame) At(t time.Time) moment { return f.visit.at(t) }

// May reports whether the user has a role.
func (f frame) May(role string) bool { return f.User.Role.Covers(api.Role(role)) }

func (v *visit) frame(title string, content any) frame {
	f := frame{Title: visibleTitle(title), User: v.user, Zone: zoneName(v.zone, v.now), Now: time.Now().UnixMilli(),
		Version: v.Version, Content: content, visit: v}
	if v.Method == http.MethodPost {
		f.Here = backOf(v.Request)
	}
	return f
}

// sections maps pages to the entries of the navigation.
var sections = map[string]string{"events": "events", "event": "events", "subscriber": "events",
	"deliveries": "deliveries", "delivery": "deliveries", "replays": "replays", "replay": "replays",
	"confirm": "replays", "endpoints": "endpoints", "endpoint": "endpoints", "sources": "sources", "accept": "events",
	"analytics": "analytics", "auditlog": "admin", "retention": "admin", "storage": "admin"}

// show answers with a page.
func (v *visit) show(name, title string, content any) error {
	f := v.frame(title, content)
	f.Section = sections[name]
	return v.write(v.w, http.StatusOK, name, "layout", f)
}

// part answers with one template of a page.
func (v *visit) part(page, name string, content any) error {
	return v.write(v.w, http.StatusOK, page, name, content)
}

// write answers with a template. When it returns an error, it has not answered.
func (c *console) write(w http.ResponseWriter, status int, page, name string, data any) error {
	var out bytes.Buffer
	if err := c.templates[page].ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("render page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // fails when the client is gone
	return nil
}

// fail answers with a problem.
func (v *visit) fail(err error) {
	p, internal := api.ProblemOf(err)
	if internal && !errors.Is(v.Context().Err(), context.Canceled) {
		v.Logger.Error("the console could not answer", "page", v.Pattern, "error", err)
	}
	content := problemPage{p, backOf(v.Request)}
	if v.partial() {
		err = v.write(v.w, p.Status, "problem", "part", content)
	} else {
		err = v.write(v.w, p.Status, "problem", "layout", v.frame(problemTitle(p.Status), content))
	}
	if err != nil {
		v.Logger.Error("the console could not show a problem", "error", err)
	}
}

type problemPage struct {
	*api.Problem
	Back string
}

// Sentences returns the faults, or the detail of a problem without faults.
func (p problemPage) Sentences() (list []string) {
	for _, fault := range p.Errors {
		list = append(list, fault.Message)
	}
	if len(list) == 0 {
		list = []string{p.Detail}
	}
	return list
}

func problemTitle(status int) string {
	switch status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusServiceUnavailable:
		return "Not available"
	case http.StatusInternalServerError:
		return "Internal error"
	}
	return "Invalid request"
}

// backOf returns the page of the console that a request came from; the start page if unknown.
func backOf(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return "/"
	}
	return localPath((&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String())
}

// redirect sends the browser to another page of the console.
func (v *visit) redirect(path string) error {
	http.Redirect(v.w, v.Request, path, http.StatusSeeOther)
	return nil
}
