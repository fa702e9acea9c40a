package httpapi

import (
	"net/http"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// formTopK is how many predictions POST /predict gives unless asked otherwise:
// as many as its predecessors did.
const formTopK = 3

// Drawer draws pages for people. Where Options.Pages is one, POST /predict
// answers browsers with its pages.
type Drawer interface {
	Answer(w http.ResponseWriter, r *http.Request, a *predict.Answer)
	Problem(w http.ResponseWriter, r *http.Request, p *problem.Problem)
}

// predictForm is POST /predict: a form with a picture.
func (d *door) predictForm(x *exchange, r *http.Request) error {
	offers := []string{jsonType}
	drawer, draws := d.Pages.(Drawer)
	if draws {
		offers = append(offers, htmlType)
	}
	form, err := negotiate(r.Header, offers...)
	if err != nil {
		return err
	}
	if form == htmlType {
		x.drawer = drawer // problems too
	}
	in, err := d.take(x, r, params{topK: formTopK, emptyLeft: true}, "multipart")
	if err != nil {
		return err
	}
	defer in.close()
	answer, err := d.run(x, r, in)
	if err != nil {
		return err
	}
	if x.drawer != nil {
		x.drawer.Answer(x, r, answer)
		return nil
	}
	return x.predictions(r, answer)
}
