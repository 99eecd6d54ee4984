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

// visit is a request of somebody who is logged in.
type visit struct {
	*console
	*http.Request
	w      http.ResponseWriter
	who    api.Bearer
	direct *api.Direct // in the visitor's name
	zone   *time.Location
	now    time.Time
}

// page serves a page to those who are logged in, and leads others to the login. What their role does not cover is refused by
// what the page asks.
func (c *console) page(handle func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTimeout + 10*time.Second)) // a writer without one is a test's
		who, ok := c.session(r)
		if !ok {
			toLogin(w, r)
			return
		}
		v := &visit{console: c, Request: r.WithContext(ctx), w: w, who: who, direct: c.Direct.As(who, remoteOf(r)), zone: zoneOf(r), now: time.Now()}
		var err error
		if r.Method == http.MethodPost {
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

// readForm reads the form that was sent, within formTime. What is done then may take longer, for which the deadline goes: the
// server takes the end of the connection for that of the request.
func (v *visit) readForm() error {
	v.Body = http.MaxBytesReader(v.w, v.Body, maxFormBytes)
	if err := v.ParseForm(); err != nil {
		return problem(http.StatusBadRequest, "the form could not be read; send it again")
	}
	_ = http.NewResponseController(v.w).SetReadDeadline(time.Time{})
	return nil
}

func remoteOf(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr().Unmap()
}

// partial tells whether htmx asks for a part of a page.
func (v *visit) partial() bool { return v.Header.Get("HX-Request") != "" }

// frame is what every page has around its content.
type frame struct {
	Title   string
	Section string // which entry of the navigation it belongs to
	Who     api.Bearer
	Zone    string
	Version string
	Here    string // the page that the form is on which has made this one
	Content any
}

// May tells whether the visitor has a role.
func (f frame) May(role string) bool { return f.Who.Role.Covers(api.Role(role)) }

func (v *visit) frame(title string, content any) frame {
	f := frame{Title: visibleTitle(title), Who: v.who, Zone: zoneName(v.zone, v.now), Version: v.Version, Content: content}
	if v.Method == http.MethodPost {
		f.Here = backOf(v.Request)
	}
	return f
}

// show answers with a page.
func (v *visit) show(name, title string, content any) error {
	f := v.frame(title, content)
	f.Section = sections[name]
	return v.write(http.StatusOK, name, "layout", f)
}

// sections are the entries of the navigation that pages belong to.
var sections = map[string]string{"events": "events", "event": "events", "subscriber": "events", "replays": "replays", "replay": "replays",
	"endpoints": "endpoints", "sources": "sources"}

// part answers with one template of a page.
func (v *visit) part(page, name string, content any) error {
	return v.write(http.StatusOK, page, name, content)
}

// write answers with a template, or, when that fails, with nothing yet.
func (v *visit) write(status int, page, name string, data any) error {
	return v.console.write(v.w, status, page, name, data)
}

func (c *console) write(w http.ResponseWriter, status int, page, name string, data any) error {
	var out bytes.Buffer
	if err := c.pages[page].ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // who has gone needs no page
	return nil
}

// fail says what is wrong, as the API would.
func (v *visit) fail(err error) {
	p, internal := api.ProblemOf(err)
	if internal && !errors.Is(v.Context().Err(), context.Canceled) {
		v.Logger.Error("the console could not answer", "page", v.Pattern, "error", err)
	}
	content := wrong{p, backOf(v.Request)}
	if v.partial() {
		err = v.write(p.Status, "problem", "part", content)
	} else {
		err = v.write(p.Status, "problem", "layout", v.frame(titleOf(p.Status), content))
	}
	if err != nil {
		v.Logger.Error("the console could not say what is wrong", "error", err)
	}
}

// wrong is what a page says of an error.
type wrong struct {
	*api.Problem
	Back string
}

// Sentences tell what is wrong, one by one.
func (w wrong) Sentences() (list []string) {
	for _, fault := range w.Errors {
		list = append(list, fault.Message)
	}
	if len(list) == 0 {
		list = []string{w.Detail}
	}
	return list
}

func titleOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return "Not here"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusServiceUnavailable:
		return "Not available now"
	case http.StatusInternalServerError:
		return "Something went wrong"
	}
	return "That cannot be done"
}

// backOf is the page of ours from which a request was made; the start page when that is not known.
func backOf(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return "/"
	}
	return local((&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String())
}

// see leads the browser to another page of ours.
func (v *visit) see(path string) error {
	http.Redirect(v.w, v.Request, path, http.StatusSeeOther)
	return nil
}

func notFound(format string, args ...any) error { return problem(http.StatusNotFound, format, args...) }

func problem(status int, format string, args ...any) error {
	return &api.Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}
