package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

const (
	trainingDigits = 12000
	testDigits     = 2000
)

// trainModel trains and saves the classifier. It returns its file, and the test images for the
// load.
func trainModel(ctx context.Context, o *Options, s *screen) (path string, model *digits.Model, images []digits.Image, err error) {
	var data digits.Dataset
	if o.Digits != "" {
		data, err = digits.LoadIDX(o.Digits)
	} else {
		var r *digits.Renderer
		if r, err = digits.NewRenderer(digits.DefaultStyle()); err == nil {
			data = r.Dataset(trainingDigits, testDigits, o.Seed)
		}
	}
	if err != nil {
		return "", nil, nil, err
	}
	for _, line := range digits.Strip(data.Train.Images[:max(1, min(8, (plot.Width(o.Out)-2)/12))]) {
		s.printf("  %s", line)
	}
	bar := plot.NewProgress(o.Out, "  training", os.Getenv, time.Now)
	model, err = digits.Train(ctx, data, digits.TrainOptions{Seed: o.Seed, Version: "1", Progress: func(epoch, epochs, done, total int, loss, accuracy float64) {
		bar.Update((epoch-1)*total+done, epochs*total, fmt.Sprintf("epoch %d of %d, loss %.3f, accuracy %.3f", epoch, epochs, loss, accuracy))
	}})
	if err != nil {
		return "", nil, nil, err
	}
	info := model.Info()
	s.printf("  %s on %d test digits, after training on %d (%s)", s.title(fmt.Sprintf("accuracy %.4f", info.Accuracy)), info.TestSize, info.TrainSize, info.Source)
	path = filepath.Join(o.Dir, "model.digits")
	return path, model, data.Test.Images, model.Save(path)
}
