package verbparams

// Restart are the parameters of `restart`: none.
type Restart struct{}
