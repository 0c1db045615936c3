// Triangular and diagonal factors of small symmetric matrices.
//
// A triangular factor is a matrix (D, D), zero above the diagonal; a diagonal one a vector (D,).
// Symmetric matrices are whole or diagonal likewise. Templates serve both forms: they take row i of
// a lower triangle, which ends at the diagonal and is a single number where the form is diagonal.
#pragma once

#include "linear_algebra/small_matrices.hpp"

namespace bayesgmm {

// Row i of a lower triangle: places 0..i, or i alone of a diagonal.
template <class T>
View<T, 1> row_of(View<T, 2> lower, Index i) {
    return lower[i].part(0, i + 1);
}
template <class T>
View<T, 1> row_of(View<T, 1> diagonal, Index i) {
    return diagonal.part(i, i + 1);
}

// Its last place.
template <class T>
T &pivot(View<T, 2> lower, Index i) {
    return lower(i, i);
}
template <class T>
T &pivot(View<T, 1> diagonal, Index i) {
    return diagonal(i);
}

// The places of x that row i of a lower triangle meets.
template <class T>
View<T, 1> met_by(ConstVector row, Index i, View<T, 1> x) {
    return x.part(i + 1 - row.size(), i + 1);
}

// Fill `out` with row i of P S up to the diagonal, for a symmetric S.
inline void row_of_product(ConstMatrix p, Index i, ConstMatrix symmetric, Vector out) {
    fill(out, 0.0);
    add_rows(out, 1.0, row_of(p, i), symmetric);
}
inline void row_of_product(ConstVector p, Index i, ConstVector symmetric, Vector out) {
    out[0] = p[i] * symmetric[i];
}

// Copy the lower triangle above the diagonal.
inline void mirror(Matrix symmetric) {
    for (Index i = 0; i < symmetric.shape[0]; ++i)
        for (Index j = 0; j < i; ++j) symmetric(j, i) = symmetric(i, j);
}
inline void mirror(Vector) {}

inline void transpose(Matrix square) {
    for (Index i = 0; i < square.shape[0]; ++i)
        for (Index j = 0; j < i; ++j) std::swap(square(i, j), square(j, i));
}
inline void transpose(Vector) {}

inline void clear_above_diagonal(Matrix square) {
    for (Index i = 0; i < square.shape[0]; ++i) fill(square[i].part(i + 1, square.shape[1]), 0.0);
}
inline void clear_above_diagonal(Vector) {}

// x becomes P x.
template <class Factor>
void multiply(Factor p, Vector x) {
    for (Index i = x.size() - 1; i >= 0; --i) {
        const ConstVector row = row_of(p, i);
        x[i] = inner_product(row, met_by(row, i, x));
    }
}

// x becomes P' x.
template <class Factor>
void multiply_transposed(Factor p, Vector x) {
    for (Index i = 0; i < x.size(); ++i) {
        const ConstVector row = row_of(p, i);
        const double whole = std::exchange(x[i], 0.0);
        add_scaled(met_by(row, i, x), whole, row);
    }
}

// out += factor P' P: its lower triangle.
template <class Factor, class Symmetric>
void add_gram(double factor, Factor p, Symmetric out) {
    for (Index m = 0; m < p.shape[0]; ++m) {
        const ConstVector row = row_of(p, m);
        const Index first = m + 1 - row.size();
        for (Index i = first; i <= m; ++i)
            add_scaled(row_of(out, i), factor * row[i - first], row.part(0, i + 1 - first));
    }
}

// out = P S P' for a symmetric S; `scratch` is (D,).
template <class Factor, class Symmetric, class Out>
void sandwich(Factor p, Symmetric s, Vector scratch, Out out) {
    for (Index i = 0; i < p.shape[0]; ++i) {
        const Vector row = row_of(out, i), half = scratch.part(0, row.size());
        row_of_product(p, i, s, half);
        for (Index j = i + 1 - row.size(), at = 0; j <= i; ++j, ++at)
            row[at] = inner_product(half.part(0, at + 1), row_of(p, j));
    }
    mirror(out);
}

// out = P P': its lower triangle.
template <class Factor, class Symmetric>
void outer_product(Factor p, Symmetric out) {
    for (Index i = 0; i < p.shape[0]; ++i) {
        const Vector row = row_of(out, i);
        for (Index j = i + 1 - row.size(), at = 0; j <= i; ++j, ++at)
            row[at] = inner_product(row_of(p, i).part(0, at + 1), row_of(p, j));
    }
}

// --- Cholesky factors ---------------------------------------------------------------------------

// Lower triangular L with L L' = matrix, from its lower triangle; false if there is none, or if a
// pivot is at most the share `least` of the matrix's own diagonal. Where `least` is 0, L may be made
// in place.
inline bool cholesky(ConstMatrix matrix, Matrix lower, double least = 0.0) {
    const Index d = matrix.shape[0];
    // L' by rows, above the diagonal, until all is done.
    for (Index i = 0; i < d; ++i)
        for (Index j = i; j < d; ++j) lower(i, j) = matrix(j, i);
    for (Index i = 0; i < d; ++i) {
        const Vector row = lower[i];
        if (!(row[i] > (least > 0.0 ? least * matrix(i, i) : 0.0))) return false;
        row[i] = std::sqrt(row[i]);
        for (Index j = i + 1; j < d; ++j) row[j] /= row[i];
        for (Index m = i + 1; m < d; ++m) add_scaled(lower[m].part(m, d), -row[m], row.part(m, d));
    }
    for (Index i = 0; i < d; ++i)
        for (Index j = i + 1; j < d; ++j) lower(j, i) = std::exchange(lower(i, j), 0.0);
    return true;
}
inline bool cholesky(ConstVector variances, Vector deviations, double = 0.0) {
    for (Index j = 0; j < variances.size(); ++j) {
        if (!(variances[j] > 0.0)) return false;
        deviations[j] = std::sqrt(variances[j]);
    }
    return true;
}

// log |L L'|
template <class Factor>
double log_determinant(Factor lower) {
    double s = 0.0;
    for (Index i = 0; i < lower.shape[0]; ++i) s += std::log(pivot(lower, i));
    return 2.0 * s;
}

// x becomes L^-1 x.
template <class Factor>
void solve_lower(Factor lower, Vector x) {
    for (Index i = 0; i < x.size(); ++i) {
        const ConstVector row = row_of(lower, i), before = row.part(0, row.size() - 1);
        x[i] -= inner_product(before, met_by(row, i, x).part(0, before.size()));
        x[i] /= pivot(lower, i);
    }
}

// x becomes L'^-1 x.
template <class Factor>
void solve_upper_of_lower(Factor lower, Vector x) {
    for (Index i = x.size() - 1; i >= 0; --i) {
        const ConstVector row = row_of(lower, i), before = row.part(0, row.size() - 1);
        x[i] /= pivot(lower, i);
        add_scaled(met_by(row, i, x).part(0, before.size()), -x[i], before);
    }
}

// X becomes L^-1 X.
inline void solve_lower(ConstMatrix lower, Matrix x) {
    for (Index i = 0; i < x.shape[0]; ++i) {
        add_rows(x[i], -1.0, lower[i].part(0, i), x);
        for (double &each : x[i]) each /= lower(i, i);
    }
}

// L^-1 S L'^-1 for a symmetric S.
inline void congruence(ConstMatrix lower, ConstMatrix symmetric, Matrix out) {
    assign(out.flat(), symmetric.flat());
    mirror(out);
    solve_lower(lower, out);
    transpose(out);
    solve_lower(lower, out);
}
inline void congruence(ConstVector lower, ConstVector symmetric, Vector out) {
    for (Index j = 0; j < out.size(); ++j) out[j] = symmetric[j] / (lower[j] * lower[j]);
}

// The inverse of L; false if its diagonal is not positive and finite.
inline bool invert_lower(ConstMatrix lower, Matrix inverse) {
    const Index d = lower.shape[0];
    fill(inverse.flat(), 0.0);
    for (Index i = 0; i < d; ++i) {
        if (!(0.0 < lower(i, i) && lower(i, i) < INFINITE)) return false;
        const Vector row = inverse[i].part(0, i);
        add_rows(row, -1.0, lower[i].part(0, i), inverse);
        for (double &each : row) each /= lower(i, i);
        inverse(i, i) = 1.0 / lower(i, i);
    }
    return true;
}
inline bool invert_lower(ConstVector lower, Vector inverse) {
    for (Index j = 0; j < lower.size(); ++j) {
        if (!(0.0 < lower[j] && lower[j] < INFINITE)) return false;
        inverse[j] = 1.0 / lower[j];
    }
    return true;
}

}  // namespace bayesgmm
