package console

import (
	"net/http"
	"net/url"

	"hooktape/web/api"
)

func (c *console) savedViewsRoutes(mux *http.ServeMux) {
	mux.Handle("POST /views", c.page(saveView))
	mux.Handle("POST /views/delete", c.page(deleteView))
}

// savedView is a link to a saved view.
type savedView struct {
	api.SavedView
	URL    string
	Chosen bool
}

func (v *visit) savedViews(f filters) (list []savedView, err error) {
	views, err := v.direct.SavedViews(v.Context())
	for _, view := range views {
		list = append(list, savedView{view, "/?" + view.Query, view.Query == f.Encode()})
	}
	return list, err
}

// saveView saves the filters of the list under a name.
func saveView(v *visit) error {
	query := v.PostFormValue("query")
	if err := v.direct.SaveView(v.Context(), v.PostFormValue("name"), query); err != nil {
		return err
	}
	return v.redirect("/?" + query)
}

// deleteView deletes a view, and leads back to the list.
func deleteView(v *visit) error {
	if err := v.direct.DeleteView(v.Context(), v.PostFormValue("name")); err != nil {
		return err
	}
	query, _ := url.ParseQuery(v.PostFormValue("query"))
	return v.redirect(link("/", query))
}
