// One line per op family: what it adds to the table of ops by name.
#pragma once

#include "core/ops/op_table.h"

namespace ftrun::ops {

void register_layout(OpTable& table);
void register_elementwise(OpTable& table);
void register_elementwise_unary(OpTable& table);
void register_reductions(OpTable& table);
void register_matmul(OpTable& table);
void register_embedding(OpTable& table);
void register_rms_norm(OpTable& table);
void register_rope(OpTable& table);
void register_attention(OpTable& table);
void register_swiglu(OpTable& table);
void register_linear_cross_entropy(OpTable& table);

}  // namespace ftrun::ops
