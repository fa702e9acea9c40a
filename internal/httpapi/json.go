package httpapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"

	"github.com/goshawk-ai/goshawk/internal/jsonscan"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// readJSON reads {"pictures": [{"name": "a.jpg", "data": "base64"}], "model": …}.
// The body stands in one buffer, and each picture is decoded over its own
// base64: nothing is held twice, which encoding/json would do twice over.
func (in *intake) readJSON(ctx context.Context, limit int64) error {
	text, err := in.arena.read(ctx, in.body, limit)
	if errors.Is(err, errTooLong) {
		return tooManyBytes(limit)
	}
	if err != nil {
		return in.body.problem(err)
	}
	s := &jsonscan.Scanner{Text: text}
	if err := object(s, "the body", func(name string) error { return in.member(s, name) }); err != nil {
		return err
	}
	return s.End()
}

// object reads an object in which nothing comes twice.
func object(s *jsonscan.Scanner, what string, member func(name string) error) error {
	seen := make(jsonscan.Once, 4)
	return s.Object(what, func(text []byte) error {
		name := string(text)
		if err := seen.See(name); err != nil {
			return err
		}
		return member(name)
	})
}

func (in *intake) member(s *jsonscan.Scanner, name string) error {
	if isParam(name) {
		if err := in.once(name); err != nil {
			return err
		}
	}
	switch name {
	case "pictures":
		return s.List("pictures", func() error { return in.jsonPicture(s) })
	case "model":
		ref, err := s.Short("model")
		if err != nil {
			return err
		}
		return in.setModel(ref)
	case "top_k":
		n, text, err := s.Number("top_k")
		if err != nil {
			return err
		}
		if n != float64(int64(n)) { // 5.0 is a whole number in JSON, 5.5 is none
			return badTopK(text)
		}
		return in.setTopK(int(n), text)
	case "threshold":
		n, text, err := s.Number("threshold")
		if err != nil {
			return err
		}
		return in.setThreshold(n, text)
	default:
		return problem.InvalidRequest.New("unknown JSON member %s (known: pictures, model, top_k, threshold)", wording.Quote(name))
	}
}

func (in *intake) jsonPicture(s *jsonscan.Scanner) error {
	var picture predict.Picture
	var data []byte
	haveData := false
	err := object(s, "a picture", func(name string) error {
		switch name {
		case "name":
			text, err := s.Short("name")
			if err != nil {
				return err
			}
			picture, err = in.named(text)
			return err
		case "data":
			haveData = true
			var err error
			data, err = s.Bytes("data")
			return err
		default:
			return problem.InvalidRequest.New("unknown JSON member %s of picture %d (known: name, data)", wording.Quote(name), len(in.pictures)+1)
		}
	})
	if err != nil {
		return err
	}
	if !haveData {
		return problem.InvalidRequest.New("picture %d has no member data", len(in.pictures)+1)
	}
	if err := in.decode(&picture, data); err != nil {
		return err
	}
	return in.add(picture)
}

// decode turns base64 into bytes, in place: three bytes of output never reach
// the four of input that are read next.
func (in *intake) decode(picture *predict.Picture, data []byte) error {
	number := len(in.pictures) + 1
	if bytes.HasPrefix(data, []byte("data:")) {
		return problem.InvalidRequest.New("the data of picture %d is a data: URL; send the base64 after its comma alone", number)
	}
	n, err := base64.StdEncoding.Decode(data, data)
	if err != nil {
		return problem.InvalidRequest.New("the data of picture %d is no base64 (standard alphabet, with padding)", number).Because(err)
	}
	if int64(n) > in.limits.Picture {
		picture.Err = pictureTooLarge(in.limits.Picture)
		return nil
	}
	picture.Data = data[:n:n]
	return nil
}
