// Handles, views, transfers and errors of the tensor layer on the reference device.
#include "core/tensor/tensor.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "tests/tensor/reference_engine.h"

namespace ftrun {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class TensorTest : public testing::Test {
 protected:
  test::ReferenceEngine engine;
  ExecutionContext& ctx = engine.ctx();
};

TEST(Shape, CountsRowsAndComparesBySize) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.element_count(), 24);
  EXPECT_EQ(shape.rows(), 6);
  EXPECT_EQ(shape.last(), 4);
  EXPECT_EQ(shape[-2], 3);
  EXPECT_EQ(shape.without_last(), (Shape{2, 3}));
  EXPECT_NE(shape, (Shape{2, 3}));
  EXPECT_EQ(Shape{}.element_count(), 1);
  EXPECT_EQ(shape_text(shape), "[2, 3, 4]");
  EXPECT_THROW((Shape{1, 2, 3, 4, 5}), Error);
  EXPECT_THROW((Shape{-1}), Error);
}

TEST_F(TensorTest, RoundTripsHostData) {
  const Tensor x = engine.tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(read_floats(ctx, x), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(x.text(), "f32[2, 3]");
  std::vector<float> short_buffer(5);
  EXPECT_THROW(read(ctx, x, short_buffer.data(), 20), Error);
}

TEST_F(TensorTest, ViewsShareStorageAndKeepStrides) {
  const Tensor x = engine.tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(read_floats(ctx, x.slice(0, 1, 2)), ElementsAre(4, 5, 6));
  EXPECT_THAT(read_floats(ctx, x.slice(1, 1, 3)), ElementsAre(2, 3, 5, 6));
  EXPECT_THAT(read_floats(ctx, x.select(1, 2)), ElementsAre(3, 6));
  EXPECT_THAT(read_floats(ctx, x.select(-1, 0)), ElementsAre(1, 4));
  EXPECT_FALSE(x.slice(1, 0, 2).is_contiguous());
  EXPECT_TRUE(x.slice(1, 0, 0).is_contiguous());
  EXPECT_THROW(x.slice(1, 0, 2).reshape({4}), Error);
  EXPECT_EQ(x.reshape({3, 2}).dim(0), 3);
  EXPECT_THAT([&] { x.slice(0, 1, 3); }, ThrowsMessage<Error>(HasSubstr("[1, 3)")));
  EXPECT_THAT([&] { x.reshape({4}); }, ThrowsMessage<Error>(HasSubstr("f32[2, 3] cannot become [4]")));
}

TEST_F(TensorTest, AbiViewDescribesTheSlice) {
  const Tensor x = engine.tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor row = x.slice(0, 1, 2);
  const ftrun_view view = row.view();
  EXPECT_EQ(view.ndim, 2);
  EXPECT_EQ(view.shape[0], 1);
  EXPECT_EQ(view.strides[0], 3);
  EXPECT_EQ(view.byte_offset, 12u);
  EXPECT_EQ(static_cast<const float*>(view.data)[view.byte_offset / 4], 4.0f);
}

TEST_F(TensorTest, MemoryIsReturnedWithTheLastView) {
  Tensor view;
  {
    const Tensor x = engine.tensor({4}, {1, 2, 3, 4});
    view = x.slice(0, 1, 3);
    EXPECT_FALSE(x.is_exclusive());
  }
  EXPECT_TRUE(view.is_exclusive());
  EXPECT_EQ(engine.live_bytes(), 16u);
  view = {};
  EXPECT_EQ(engine.live_bytes(), 0u);
}

TEST_F(TensorTest, HandleCountFollowsRetainAndRelease) {
  Tensor x = engine.tensor({1}, {7});
  ftrun_tensor* handle = x.get();
  Tensor::retain(handle);
  x = {};
  EXPECT_EQ(engine.live_bytes(), 4u);
  Tensor::drop(handle);
  EXPECT_EQ(engine.live_bytes(), 0u);
}

TEST_F(TensorTest, OutOfMemoryCarriesTheDevicesMessage) {
  engine.state().limit_bytes = 100;
  try {
    empty(ctx, FTRUN_F32, {1000});
    FAIL() << "allocation above the limit succeeded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_RESOURCE_EXHAUSTED);
    EXPECT_THAT(error.what(), HasSubstr("out of memory allocating 4000 bytes"));
  }
}

TEST_F(TensorTest, UnknownOpNamesDeviceAndOp) {
  const Tensor x = engine.tensor({1}, {1});
  EXPECT_THAT([&] { execute(ctx, "no_such_op", {x}, {x}); },
              ThrowsMessage<Error>(testing::AllOf(HasSubstr("no_such_op"), HasSubstr("reference"))));
}

TEST_F(TensorTest, OpErrorsCarryTheDetailOfThisCall) {
  const Tensor x = engine.tensor({2}, {1, 2});
  const Tensor y = engine.tensor({3}, {1, 2, 3});
  EXPECT_THAT([&] { execute(ctx, FTRUN_OP_EXP, {x}, {y}); }, ThrowsMessage<Error>(HasSubstr("shapes differ")));
  EXPECT_EQ(take_failure_detail(), "");
}

TEST_F(TensorTest, CheckFiniteNamesTheFirstOp) {
  ctx.check_finite = true;
  ctx.unit_label = "layers.3";
  const Tensor x = engine.tensor({2}, {-1, 2});
  const Tensor y = empty_like(ctx, x, FTRUN_F32);
  execute(ctx, FTRUN_OP_EXP, {x}, {y});
  EXPECT_EQ(ctx.first_nonfinite_op, "");
  execute(ctx, FTRUN_OP_LOG, {x}, {y});
  execute(ctx, FTRUN_OP_NEG, {y}, {y});
  EXPECT_EQ(ctx.first_nonfinite_op, "log in layers.3");
}

}  // namespace
}  // namespace ftrun
