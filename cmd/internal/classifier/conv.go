package classifier

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// Values are stored by channels, then by rows.

// gonum's Sgemm divides its output into blocks of 64x64. From four blocks on it uses
// GOMAXPROCS goroutines; fewer blocks it computes in the caller's goroutine
// (blas/gonum/sgemm.go, sgemmParallel, of v0.17.0). An output of 64x192 is three blocks,
// so it uses one core, and it is faster because its rows are longer.
const (
	panelRows    = 64
	panelColumns = 192
)

// product computes c = a*b, with a of m rows and k columns, and c of m rows and n columns,
// on one core. Pass weights as a: gonum skips zeros of the first matrix, and ReLU outputs
// have many zeros.
func product(m, n, k int, a, b, c []float32) {
	var blas32 gonum.Implementation
	if n == 1 {
		blas32.Sgemv(blas.NoTrans, m, k, 1, a, k, b, 1, 0, c, 1)
		return
	}
	panels := (n + panelColumns - 1) / panelColumns
	width := (n + panels - 1) / panels // of equal width
	for j := 0; j < n; j += width {
		for i := 0; i < m; i += panelRows {
			blas32.Sgemm(blas.NoTrans, blas.NoTrans, min(panelRows, m-i), min(width, n-j), k, 1, a[i*k:m*k], k, b[j:k*n], n, 0, c[i*n+j:m*n], n)
		}
	}
}

// pad copies a channel with zeros around it.
func pad(side int, channel, padded []float32) {
	wide := side + 2
	clear(padded[:wide*wide])
	for y := range side {
		copy(padded[(y+1)*wide+1:], channel[y*side:(y+1)*side])
	}
}

// columns writes, for each weight of a 3x3 filter over all channels, a row with its factor
// for each pixel of the output (im2col), so that the convolution is a product of matrices.
func columns(l layer, in, padded, rows []float32) {
	wide, pixels := l.side+2, l.sideNext*l.sideNext
	for c := range l.in {
		pad(l.side, in[c*l.side*l.side:(c+1)*l.side*l.side], padded)
		for at := range 9 {
			row := rows[(c*9+at)*pixels : (c*9+at+1)*pixels]
			for y := range l.sideNext {
				from := padded[(y*l.stride+at/3)*wide+at%3:]
				to := row[y*l.sideNext : (y+1)*l.sideNext]
				for x := range to {
					to[x] = from[x*l.stride]
				}
			}
		}
	}
}

// depthwiseConv convolves each channel with its own 3x3 filter.
func depthwiseConv(l layer, in, weights, padded, out []float32) {
	wide, pixels := l.side+2, l.sideNext*l.sideNext
	for c := range l.in {
		pad(l.side, in[c*l.side*l.side:(c+1)*l.side*l.side], padded)
		w := (*[9]float32)(weights[c*9:])
		for y := range l.sideNext {
			top := padded[y*l.stride*wide:]
			to := out[c*pixels+y*l.sideNext : c*pixels+(y+1)*l.sideNext]
			if l.stride == 1 {
				threeRows(w, top[:wide], top[wide:2*wide], top[2*wide:3*wide], to)
			} else {
				threeRowsApart(w, l.stride, top[:wide], top[wide:2*wide], top[2*wide:3*wide], to)
			}
		}
	}
}

func threeRows(w *[9]float32, a, b, c, to []float32) {
	n := len(to)
	a, b, c = a[:n+2], b[:n+2], c[:n+2]
	a0, a1, b0, b1, c0, c1 := a[0], a[1], b[0], b[1], c[0], c[1]
	for x := range to {
		a2, b2, c2 := a[x+2], b[x+2], c[x+2]
		to[x] = w[0]*a0 + w[1]*a1 + w[2]*a2 + (w[3]*b0 + w[4]*b1 + w[5]*b2) + (w[6]*c0 + w[7]*c1 + w[8]*c2)
		a0, a1, b0, b1, c0, c1 = a1, a2, b1, b2, c1, c2
	}
}

func threeRowsApart(w *[9]float32, stride int, a, b, c, to []float32) {
	for x := range to {
		i := x * stride
		a, b, c := a[i:i+3], b[i:i+3], c[i:i+3]
		to[x] = w[0]*a[0] + w[1]*a[1] + w[2]*a[2] + (w[3]*b[0] + w[4]*b[1] + w[5]*b[2]) + (w[6]*c[0] + w[7]*c[1] + w[8]*c[2])
	}
}
