"""A small recipe without measurements, so that tests need no torch; its charts are apart."""

TEXT = """\
format: 1
title: two depths
networks:
  stack:
    format: 1
    input: {size: [$size, $size], channels: 1}
    layers:
      - repeat:
          name: stack
          times: $layers
          layers:
            - conv: {name: conv, kernel_size: 3, padding: 1, out_channels: 1, bias: false}
rows:
  - series: expected
    network: stack
    each: [{layers: 2, size: 9}, {layers: 3, size: 11}, {layers: 4, size: 13}]
columns: [series, layers, sigma]
"""

CHARTS = """\
charts:
  - {x: layers, y: sigma, log: true, published: [{label: theory, exponent: 0.5}]}
  - {pictures: true, label: layers}
"""
