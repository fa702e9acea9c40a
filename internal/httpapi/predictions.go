package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func (d *door) predictions(x *exchange, r *http.Request) error {
	form, err := negotiate(r.Header, jsonType, csvType)
	if err != nil {
		return err
	}
	in, err := d.take(x, r, params{}, "image", "multipart", "json")
	if err != nil {
		return err
	}
	defer in.close()
	answer, err := d.run(x, r, in)
	if err != nil {
		return err
	}
	if form == csvType {
		var table bytes.Buffer
		if err := WriteCSV(&table, answer); err != nil {
			return err
		}
		x.send(r, http.StatusOK, csvType+"; charset=utf-8; header=present", table.Bytes())
		return nil
	}
	return x.predictions(r, answer)
}

// predictions sends an answer as JSON.
func (x *exchange) predictions(r *http.Request, answer *predict.Answer) error {
	content, err := answer.AppendJSON(make([]byte, 0, 1024))
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	x.send(r, http.StatusOK, jsonType, append(content, '\n'))
	return nil
}

// run classifies. A single picture's problem is the request's. The pictures'
// memory is given back here, before the answer goes out: a caller who never
// takes it must not hold what others wait for.
func (d *door) run(x *exchange, r *http.Request, in *intake) (*predict.Answer, error) {
	answer, err := d.Predictor.Run(r.Context(), in.request(x.began))
	in.done = true // not reached in a panic: a thread may still be reading the pictures then
	in.close()
	if err != nil {
		x.model = in.model
		return nil, err
	}
	x.model, x.version = answer.Model.Name, answer.Model.Version
	if len(answer.Results) != len(in.pictures) {
		return nil, fmt.Errorf("%d results came for %d pictures", len(answer.Results), len(in.pictures))
	}
	if len(answer.Results) == 1 && answer.Results[0].Error != nil {
		return nil, answer.Results[0].Error
	}
	return answer, nil
}

// document sends v as JSON. It encodes before it writes, so that what cannot be
// encoded is still a problem.
func (x *exchange) document(r *http.Request, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	x.send(r, http.StatusOK, jsonType, append(content, '\n'))
	return nil
}

// encode is for problems, whose members are numbers and text.
func encode(p *problem.Problem) []byte {
	content, err := json.Marshal(p)
	if err != nil {
		content, _ = json.Marshal(problem.Internal.New("the problem itself could not be written"))
	}
	return append(content, '\n')
}
