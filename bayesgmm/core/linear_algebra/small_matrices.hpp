// Sums of products, and eigenvalues of small symmetric matrices.
//
// Inner loops run along rows without sums over them, so that they fill vector registers.
#pragma once

#include "linear_algebra/simd.hpp"

namespace bayesgmm {

// a'b of vectors that are often too short for whole registers.
inline double inner_product(ConstVector a, ConstVector b) {
    if (a.size() >= 16) return dot(a, b);
    double s = 0.0;
    for (Index i = 0; i < a.size(); ++i) s += a[i] * b[i];
    return s;
}

// to += factor * sum_m c_m (row m): the leading places of rows that are as long or longer.
inline void add_rows(Vector to, double factor, ConstVector coefficients, ConstMatrix rows) {
    const Index size = to.size(), n = coefficients.size();
    double *const __restrict out = to.data;
    Index m = 0;
    // Four rows at a time, or most of the time goes into loading and storing the sum.
    for (; m + 4 <= n; m += 4) {
        const double c0 = factor * coefficients[m], c1 = factor * coefficients[m + 1];
        const double c2 = factor * coefficients[m + 2], c3 = factor * coefficients[m + 3];
        const double *const r0 = &rows(m, 0), *const r1 = &rows(m + 1, 0);
        const double *const r2 = &rows(m + 2, 0), *const r3 = &rows(m + 3, 0);
        for (Index j = 0; j < size; ++j)
            out[j] += (c0 * r0[j] + c1 * r1[j]) + (c2 * r2[j] + c3 * r3[j]);
    }
    for (; m < n; ++m) {
        const double c = factor * coefficients[m];
        const double *const row = &rows(m, 0);
        for (Index j = 0; j < size; ++j) out[j] += c * row[j];
    }
}

// --- rotations of two axes ----------------------------------------------------------------------

struct Rotation {
    double c = 1.0, s = 0.0;
};

// The rotation that makes [[p, r], [r, q]] diagonal, by at most 45 degrees.
//
// Axes i and j of a basis become c u_i + s u_j and c u_j - s u_i.
inline Rotation rotation(double p, double q, double r) {
    if (r == 0.0) return {};
    const double ratio = 0.5 * (p - q) / r;
    const double t = std::copysign(1.0, ratio) / (std::abs(ratio) + std::sqrt(1.0 + ratio * ratio));
    const double c = 1.0 / std::sqrt(1.0 + t * t);
    return {c, t * c};
}

// Rows i and j of a matrix in place.
inline void rotate_rows(Matrix a, Index i, Index j, Rotation by) {
    const Vector first = a[i], second = a[j];
    for (Index m = 0; m < first.size(); ++m) {
        const double u = first[m], v = second[m];
        first[m] = by.c * u + by.s * v;
        second[m] = by.c * v - by.s * u;
    }
}

// --- eigenvalues --------------------------------------------------------------------------------

// Up to this size rotations one by one are faster than a reduction to tridiagonal form.
inline constexpr Index MOST_BY_JACOBI = 8;

// Rows of one length for every size.
using SmallMatrix = std::array<std::array<double, MOST_BY_JACOBI>, MOST_BY_JACOBI>;

// Rotate axes i and j: rows and columns of a symmetric matrix, which makes entry (i, j) zero, and
// rows of a basis.
inline void rotate_both(SmallMatrix &a, SmallMatrix &basis, Index d, Index i, Index j,
                        Rotation by) {
    const auto [c, s] = by;
    const double p = a[i][i], q = a[j][j], r = a[i][j];
    for (Index m = 0; m < d; ++m) {
        const double u = a[i][m], v = a[j][m];
        a[i][m] = a[m][i] = c * u + s * v;
        a[j][m] = a[m][j] = c * v - s * u;
    }
    a[i][i] = c * (c * p + s * r) + s * (c * r + s * q);
    a[j][j] = c * (c * q - s * r) - s * (c * r - s * p);
    a[i][j] = a[j][i] = 0.0;
    for (Index l = 0; l < MOST_BY_JACOBI; l += LANES) {
        const Vec u = load(&basis[i][l]), v = load(&basis[j][l]);
        store(c * u + s * v, &basis[i][l]);
        store(c * v - s * u, &basis[j][l]);
    }
}

// Make a matrix of size d diagonal by rotations of a basis (axes as rows).
//
// Jacobi's rotations, which keep the digits of small eigenvalues (Demmel & Veselic 1992).
inline void jacobi(SmallMatrix &a, SmallMatrix &basis, Index d) {
    bool turned = true;
    for (int sweep = 0; turned && sweep < 40; ++sweep) {
        turned = false;
        for (Index i = 0; i < d; ++i)
            for (Index j = 0; j < i; ++j) {
                const double r = a[i][j];
                if (!(std::abs(r) > EPSILON * std::sqrt(std::abs(a[i][i] * a[j][j])))) continue;
                rotate_both(a, basis, d, j, i, rotation(a[j][j], a[i][i], r));
                turned = true;
            }
    }
}

// As `eigen_symmetric`, in any order, for small matrices.
inline void eigen_by_jacobi(ConstMatrix matrix, Vector values, Matrix basis) {
    const Index d = matrix.shape[0];
    SmallMatrix a{}, axes{};
    for (Index i = 0; i < d; ++i) {
        std::copy_n(matrix[i].data, d, a[i].data());
        axes[i][i] = 1.0;
    }
    jacobi(a, axes, d);
    for (Index i = 0; i < d; ++i) {
        values[i] = a[i][i];
        std::copy_n(axes[i].data(), d, basis[i].data);
    }
}

// Turn row x into a vector v such that (I - beta v v') x = (0, ..., 0, end); (beta, end).
//
// Golub & Van Loan, Matrix Computations, section 5.1, for the last place instead of the first.
inline std::pair<double, double> householder(Vector x) {
    double &last = x[x.size() - 1];
    const double rest = inner_product(x.part(0, x.size() - 1), x.part(0, x.size() - 1));
    if (rest == 0.0) return {0.0, last};
    const double end = -std::copysign(std::sqrt(rest + last * last), last);
    last -= end;
    return {2.0 / (rest + last * last), end};
}

// The tridiagonal T = Q' A Q, and Q' in `basis` (Golub & Van Loan, algorithm 8.3.1).
//
// Rows are reduced from the last on, so that what remains is a leading block. `a` is overwritten;
// beside[i] joins the places i and i + 1 of the diagonal.
inline void tridiagonalise(Matrix a, Vector diagonal, Vector beside, Matrix basis) {
    const Index d = a.shape[0];
    Numbers betas(d), product(d);
    for (Index i = d - 1; i > 0; --i) {
        const Vector v = a[i].part(0, i), p = product.view().part(0, i);
        const auto [beta, end] = householder(v);
        betas[i] = beta;
        beside[i - 1] = end;
        if (beta == 0.0) continue;
        // A - v p' - p v', where p = w - beta/2 (w'v) v and w = beta A v.
        fill(p, 0.0);
        add_rows(p, beta, v, a);
        add_scaled(p, -0.5 * beta * inner_product(p, v), v);
        for (Index m = 0; m < i; ++m) {
            const double vm = v[m], pm = p[m];
            const Vector row = a[m].part(0, i);
            for (Index j = 0; j < i; ++j) row[j] -= vm * p[j] + pm * v[j];
        }
    }
    for (Index i = 0; i < d; ++i) {
        diagonal[i] = a(i, i);
        fill(basis[i], 0.0);
        basis(i, i) = 1.0;
    }
    for (Index i = 1; i < d; ++i) {
        const Vector v = a[i].part(0, i);
        for (Index m = 0; m < i; ++m) {
            const Vector row = basis[m].part(0, i);
            add_scaled(row, -betas[i] * inner_product(row, v), v);
        }
    }
}

// One implicit step on the block first..last of a tridiagonal matrix, shifted as by Wilkinson
// (Golub & Van Loan, algorithm 8.3.2).
inline void qr_step(Vector diagonal, Vector beside, Index first, Index last, Matrix basis) {
    const double b = beside[last - 1], half = 0.5 * (diagonal[last - 1] - diagonal[last]);
    const double root = std::copysign(std::sqrt(half * half + b * b), half);
    double x = diagonal[first] - (diagonal[last] - b / (half + root) * b), z = beside[first];
    for (Index i = first; i < last; ++i) {
        const double length = std::sqrt(x * x + z * z);
        const Rotation by = length > 0.0 ? Rotation{x / length, z / length} : Rotation{};
        if (i > first) beside[i - 1] = length;
        const double p = diagonal[i], q = diagonal[i + 1], r = beside[i];
        const double u = by.c * p + by.s * r, v = by.c * r + by.s * q;
        diagonal[i] = by.c * u + by.s * v;
        diagonal[i + 1] = by.c * (by.c * q - by.s * r) - by.s * (by.c * r - by.s * p);
        beside[i] = by.c * v - by.s * u;
        if (i + 1 < last) {
            x = beside[i];
            z = by.s * beside[i + 1];
            beside[i + 1] *= by.c;
        }
        rotate_rows(basis, i, i + 1, by);
    }
}

// Make a tridiagonal matrix diagonal by rotations of `basis` (axes as rows): the implicit QR
// iteration (Golub & Van Loan, algorithm 8.3.3).
inline void diagonalise(Vector diagonal, Vector beside, Matrix basis) {
    Index last = diagonal.size() - 1;
    const auto is_zero = [&](Index i) {
        return std::abs(beside[i]) <= EPSILON * (std::abs(diagonal[i]) + std::abs(diagonal[i + 1]));
    };
    // Two steps for an eigenvalue are usual; NaN would go on for ever.
    for (Index left = 30 * diagonal.size(); last > 0 && left > 0;) {
        if (is_zero(last - 1)) {
            --last;
            continue;
        }
        Index first = last - 1;
        while (first > 0 && !is_zero(first - 1)) --first;
        qr_step(diagonal, beside, first, last, basis);
        --left;
    }
}

// As `eigen_symmetric`, in any order, for larger matrices.
inline void eigen_by_reduction(ConstMatrix matrix, Vector values, Matrix basis) {
    const Index d = matrix.shape[0];
    Table a(d, d);
    Numbers beside(d);
    double most = 0.0;
    for (const double each : matrix) most = std::max(most, std::abs(each));
    // Squares must neither overflow nor vanish; powers of two leave the digits alone.
    const int exponent = most > 0.0 && most < INFINITY ? std::ilogb(most) : 0;
    for (Index i = 0; i < a.size(); ++i) a.flat()[i] = std::ldexp(matrix.data[i], -exponent);
    tridiagonalise(a, values, beside, basis);
    diagonalise(values, beside, basis);
    for (double &each : values) each = std::ldexp(each, exponent);
}

// Sort descending values, and rows with them. Selection sort: few values.
inline void sort_descending(Vector values, Matrix rows) {
    for (Index i = 0; i < values.size(); ++i) {
        Index most = i;
        for (Index j = i + 1; j < values.size(); ++j)
            if (values[j] > values[most]) most = j;
        if (most == i) continue;
        std::swap(values[i], values[most]);
        std::swap_ranges(rows[i].begin(), rows[i].end(), rows[most].begin());
    }
}

// Eigenvalues in descending order, and eigenvectors as rows, of a symmetric matrix.
inline void eigen_symmetric(ConstMatrix matrix, Vector values, Matrix basis) {
    if (values.size() <= MOST_BY_JACOBI)
        eigen_by_jacobi(matrix, values, basis);
    else
        eigen_by_reduction(matrix, values, basis);
    sort_descending(values, basis);
}

}  // namespace bayesgmm
