package digits

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// LoadIDX reads a folder of MNIST's files: train-* and t10k-*, each as plain or
// gzipped IDX (images-idx3-ubyte and labels-idx1-ubyte). With both it trains on
// train-* and tests on t10k-*; with one of them it trains on the first four
// fifths and tests on the rest. Every mistake found is in the error.
func LoadIDX(dir string) (Dataset, error) {
	train, trainErr := loadPair(dir, "train")
	test, testErr := loadPair(dir, "t10k")
	noTrain, noTest := errors.Is(trainErr, os.ErrNotExist), errors.Is(testErr, os.ErrNotExist)
	switch {
	case noTrain && noTest:
		return Dataset{}, fmt.Errorf("read digits: %s has no MNIST files: it needs t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, "+
			"or train-images-idx3-ubyte and train-labels-idx1-ubyte, each plain or .gz: %w", dir, os.ErrNotExist)
	case trainErr != nil && !noTrain, testErr != nil && !noTest:
		return Dataset{}, fmt.Errorf("read digits: %w", errors.Join(unless(noTrain, trainErr), unless(noTest, testErr)))
	}
	d := Dataset{Train: train, Test: test, Source: "IDX files"}
	if noTrain {
		d.Train, d.Test = hold(test)
	}
	if noTest {
		d.Train, d.Test = hold(train)
	}
	if err := d.check(); err != nil {
		return Dataset{}, fmt.Errorf("read digits from %s: %w", dir, err)
	}
	return d, nil
}

// hold keeps the last fifth of a set back for the test.
func hold(s Set) (train, test Set) {
	n := s.Len() * 4 / 5
	return s.Slice(0, n), s.Slice(n, s.Len())
}

func unless(skip bool, err error) error {
	if skip {
		return nil
	}
	return err
}

// loadPair reads the images and the labels of one part. It is os.ErrNotExist only
// if neither file is there.
func loadPair(dir, part string) (Set, error) {
	images, imagesErr := loadFile(dir, part+"-images-idx3-ubyte", ReadImages)
	labels, labelsErr := loadFile(dir, part+"-labels-idx1-ubyte", ReadLabels)
	noImages, noLabels := errors.Is(imagesErr, os.ErrNotExist), errors.Is(labelsErr, os.ErrNotExist)
	if noImages && noLabels {
		return Set{}, fmt.Errorf("%s: no %s-* files: %w", dir, part, os.ErrNotExist)
	}
	if noImages {
		imagesErr = fmt.Errorf("%s has %s-labels-idx1-ubyte but no %s-images-idx3-ubyte beside it, plain or .gz", dir, part, part)
	}
	if noLabels {
		labelsErr = fmt.Errorf("%s has %s-images-idx3-ubyte but no %s-labels-idx1-ubyte beside it, plain or .gz", dir, part, part)
	}
	if err := errors.Join(imagesErr, labelsErr); err != nil {
		return Set{}, err
	}
	if len(images) != len(labels) {
		return Set{}, fmt.Errorf("%w: %s: %s-images-idx3-ubyte has %d images, but %s-labels-idx1-ubyte has %d labels: they are not of one set",
			ErrIDX, dir, part, len(images), part, len(labels))
	}
	return Set{Images: images, Labels: labels}, nil
}

// loadFile reads a plain file, or where there is none the gzipped one.
func loadFile[T any](dir, name string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	path := filepath.Join(dir, name)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		path += ".gz"
		f, err = os.Open(path)
	}
	if err != nil {
		return none, err
	}
	defer func() { _ = f.Close() }()
	v, err := read(f)
	if err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
