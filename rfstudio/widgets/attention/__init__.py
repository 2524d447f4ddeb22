"""The panel of the attention of a layer's heads."""
