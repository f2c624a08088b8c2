// Scalar reference kernels: gathers, scatters and causal_fill.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_INDEXING_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_INDEXING_HPP_

#include "ftrun/cpp/reference_kernels/operands.hpp"

namespace ftrun::reference {

/** Throws unless ids is contiguous i32[T] with `count` entries. */
inline void require_ids(const ftrun_view& ids, int64_t count) {
  require_dtype(ids, FTRUN_I32, "ids");
  require_contiguous(ids, "ids");
  require(element_count(ids) == count, "ids must have " + std::to_string(count) + " entries, is " + view_text(ids));
}

/** Throws naming the first id outside [0, limit). */
inline void require_ids_below(const ftrun_view& ids, int64_t limit) {
  const int64_t count = element_count(ids);
  for (int64_t t = 0; t < count; ++t) {
    const int32_t id = elements_of<int32_t>(ids)[t];
    require(id >= 0 && id < limit, "id " + std::to_string(id) + " at position " + std::to_string(t) +
                                       " is outside [0, " + std::to_string(limit) + ")");
  }
}

/** (table[V, D], ids i32[T]) -> y[T, D]; y may have another float type than the table. */
inline void op_gather_rows(const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const ftrun_view &table = call.inputs[0], &ids = call.inputs[1], &y = call.outputs[0];
  require_float(table, "table");
  require_float(y, "y");
  require_contiguous(table, "table");
  require_contiguous(y, "y");
  require(table.ndim == 2 && last_size(y) == last_size(table), "y and table must have the same last axis");
  require_ids(ids, row_count(y));
  require_ids_below(ids, table.shape[0]);
  const int64_t columns = last_size(table);
  for (int64_t t = 0; t < row_count(y); ++t) {
    for (int64_t i = 0; i < columns; ++i) {
      store_float(bytes_of(y), y.dtype, t * columns + i,
                  load_float(bytes_of(table), table.dtype, elements_of<int32_t>(ids)[t] * columns + i));
    }
  }
}

/** (dy[T, D], ids i32[T]) -> dtable[V, D]. */
inline void op_scatter_add_rows(const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const bool accumulate = attributes_of<ftrun_accumulate_attributes>(call).accumulate != 0;
  const ftrun_view &dy = call.inputs[0], &ids = call.inputs[1], &dtable = call.outputs[0];
  require_float(dy, "dy");
  require_float(dtable, "dtable");
  require_contiguous(dy, "dy");
  require_contiguous(dtable, "dtable");
  require(dtable.ndim == 2 && last_size(dy) == last_size(dtable), "dy and dtable must have the same last axis");
  require_ids(ids, row_count(dy));
  require_ids_below(ids, dtable.shape[0]);
  const int64_t columns = last_size(dtable), rows = dtable.shape[0], tokens = row_count(dy);
  const int32_t* id = elements_of<int32_t>(ids);
  for (int64_t v = 0; v < rows; ++v) {
    bool used = false;
    for (int64_t t = 0; t < tokens; ++t) used = used || id[t] == v;
    if (!used && accumulate) continue;
    for (int64_t i = 0; i < columns; ++i) {
      float sum = 0.0f;
      for (int64_t t = 0; used && t < tokens; ++t) {
        if (id[t] == v) sum += load_float(bytes_of(dy), dy.dtype, t * columns + i);
      }
      if (accumulate) sum += load_float(bytes_of(dtable), dtable.dtype, v * columns + i);
      store_float(bytes_of(dtable), dtable.dtype, v * columns + i, sum);
    }
  }
}

/** (x[T, V], ids i32[T]) -> y f32[T], 0 where the id is outside [0, V). */
inline void op_gather_last(const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const ftrun_view &x = call.inputs[0], &ids = call.inputs[1], &y = call.outputs[0];
  require_float(x, "x");
  require_dtype(y, FTRUN_F32, "y");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  require_ids(ids, row_count(x));
  require(element_count(y) == row_count(x), "y must have one element per row of x");
  const int64_t columns = last_size(x);
  for (int64_t t = 0; t < row_count(x); ++t) {
    const int32_t id = elements_of<int32_t>(ids)[t];
    const bool inside = id >= 0 && id < columns;
    elements_of<float>(y)[t] = inside ? load_float(bytes_of(x), x.dtype, t * columns + id) : 0.0f;
  }
}

/** (y0[T, V], ids i32[T], w f32[T]) -> y: y[t, ids[t]] += w[t]; y is y0's view. */
inline void op_add_at_last(const ftrun_op_call& call) {
  require_arity(call, 3, 3, 1);
  const ftrun_view &y0 = call.inputs[0], &ids = call.inputs[1], &w = call.inputs[2], &y = call.outputs[0];
  require_float(y, "y");
  require_dtype(w, FTRUN_F32, "w");
  require_contiguous(y, "y");
  require_contiguous(w, "w");
  require(bytes_of(y0) == bytes_of(y) && y0.dtype == y.dtype, "y must be y0's view");
  require_ids(ids, row_count(y));
  require(element_count(w) == row_count(y), "w must have one element per row of y");
  const int64_t columns = last_size(y);
  for (int64_t t = 0; t < row_count(y); ++t) {
    const int32_t id = elements_of<int32_t>(ids)[t];
    if (id < 0 || id >= columns) continue;
    const int64_t at = t * columns + id;
    store_float(bytes_of(y), y.dtype, at, load_float(bytes_of(y), y.dtype, at) + elements_of<float>(w)[t]);
  }
}

/** (x[M, N]) -> x in place: value where j + column_offset > i + row_offset. */
inline void op_causal_fill(const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const auto& attributes = attributes_of<ftrun_causal_fill_attributes>(call);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(y, "x");
  require_contiguous(y, "x");
  require(y.ndim == 2 && bytes_of(x) == bytes_of(y) && x.dtype == y.dtype && same_shape(x, y),
          "x must be [M, N] and the output its own view");
  const float value = static_cast<float>(attributes.value);
  for (int64_t i = 0; i < y.shape[0]; ++i) {
    for (int64_t j = 0; j < y.shape[1]; ++j) {
      if (j + attributes.column_offset > i + attributes.row_offset) {
        store_float(bytes_of(y), y.dtype, i * y.shape[1] + j, value);
      }
    }
  }
}

}  // namespace ftrun::reference

#endif  // FTRUN_CPP_REFERENCE_KERNELS_INDEXING_HPP_
