package prove

import "firebreak/internal/layer"

func hypothetical(in Intent, layers []*layer.Layer, o Options, r *Report) error { return nil }
